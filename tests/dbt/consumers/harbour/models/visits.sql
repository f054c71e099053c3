-- Each is logged up to a day after the ship has come in; numbers are hashes, so that nothing foretells another.
select
    id as visit_id,
    id % 7 as ship_id,
    timestamp_seconds(1767225600 + id * 2220) as arrived_at,
    timestamp_seconds(1767225600 + id * 2220 + pmod(hash(id, 'logged'), 86400)) as logged_at,
    cast(pmod(hash(id, 'tons'), 1000) as bigint) as tons,
    cast(pmod(hash(id, 'late'), 3) = 0 as int) as was_late

from range(1000)
