select
    id as owner_id,
    id % 7 as ship_id,
    concat('owner ', id) as owner,
    timestamp_seconds(1767225600 - 864000 + div(id, 7) * 259200) as valid_from,
    case when id < 70 then timestamp_seconds(1767225600 - 864000 + (div(id, 7) + 1) * 259200) end as valid_to

from range(77)
