select explode(sequence(date'2026-01-01', date'2026-02-28', interval '1' day)) as day
