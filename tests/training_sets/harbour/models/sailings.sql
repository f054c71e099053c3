select
    id as sailing_id,
    id % 7 as ship_id,
    timestamp_seconds(1767225600 + 172800 + id * 6780) as sails_at,
    cast(pmod(hash(id, 'label'), 2) as int) as is_delayed

from range(300)
