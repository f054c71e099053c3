select
    id as order_id,
    id % 7 as shop_id,
    timestamp_seconds(1767225600 + id * 1800) as ordered_at,
    timestamp_seconds(1767225600 + id * 1800 + 60 * (id * 37 % 5000)) as paid_at,
    cast(id % 13 as int) as pieces,
    -- thirds and sevenths, so that the order of adding shows in the last digits
    case when id % 11 > 0 then (id % 97) / 7e0 - (id % 89) / 3e0 end as weight

from range(0, 2000, 1, 4)
