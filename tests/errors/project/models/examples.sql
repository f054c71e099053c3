select
    id,
    timestamp_seconds(1767225600 + id * 3600) as at,
    cast(id % 4 as double) as visits,
    case when id % 3 = 0 then 'regular' else 'new' end as kind,
    cast(id % 4 > 1 as int) as bought

from range(80)
