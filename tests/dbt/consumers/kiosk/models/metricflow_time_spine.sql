select explode(sequence(date'2025-12-30', date'2026-01-04', interval '1' day)) as date_day
