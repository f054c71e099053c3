{{ config(tblproperties={'delta.enableChangeDataFeed': 'true'}) }}

select
    id as visit_id,
    -- shop 7 is unknown, some visits are to no shop
    case when id % 10 > 0 then id % 8 end as shop_id,
    timestamp_seconds(1767225600 + id * 5000) as asked_at,
    cast(id % 3 = 0 as int) as bought

from range(0, 600, 1, 3)
