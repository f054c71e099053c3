select
    id as order_id,
    id % 2 as shop_id,
    timestamp_seconds(1767225600 + id * 3600) as ordered_at,
    cast(id + 0.5 as decimal(10, 2)) as amount

from range(40)
