{{ config(tblproperties={'delta.enableChangeDataFeed': 'true'}) }}

select
    id as order_id,
    id % 7 as shop_id,
    timestamp_seconds(1767225600 + id * 1800) as ordered_at,
    timestamp_seconds(1767225600 + id * 1800 + 60 * (id * 37 % 5000)) as paid_at,
    cast(id % 13 as int) as pieces

from range(0, 2000, 1, 4)
