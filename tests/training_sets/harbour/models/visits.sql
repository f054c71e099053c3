-- Each is logged up to a day after the ship has come in; numbers are hashes, so that nothing foretells another.
select
    id as visit_id,
    id % 7 as ship_id,
    timestamp_seconds(1767225600 + id * 2220) as arrived_at,
    timestamp_seconds(1767225600 + id * 2220 + pmod(hash(id, 'logged'), 86400)) as logged_at,
    cast(pmod(hash(id, 'tons'), 1000) as bigint) as tons,
    cast(pmod(hash(id, 'late'), 3) = 0 as int) as was_late,
    -- of every other type, so that each can be altered
    cast(id / 7 as decimal(10, 2)) as fee,
    cast(id as float) as draught,
    id % 2 = 0 as is_checked,
    date_add(date'2026-01-01', cast(id % 30 as int)) as due_on,
    timestamp_ntz'2026-01-01 00:00:00' as booked_at,
    concat('berth ', id % 4) as berth,
    array(id, 1) as crew,
    named_struct('a', id) as papers

from range(1000)
