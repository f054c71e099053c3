select
    id as visit_id,
    -- shop 7 is unknown, some visits are to no shop
    case when id % 10 > 0 then id % 8 end as shop_id,
    timestamp_seconds(1767225600 + id * 5000) as asked_at,
    cast(id % 3 = 0 as int) as bought

from range(0, 600, 1, 3)

union all

-- twice the same
select 1 as visit_id, 1 as shop_id, timestamp_seconds(1767230600) as asked_at, 0 as bought
