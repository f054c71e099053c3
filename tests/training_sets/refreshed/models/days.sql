select explode(sequence(date'2026-01-01', date'2026-03-31', interval '1' day)) as day
