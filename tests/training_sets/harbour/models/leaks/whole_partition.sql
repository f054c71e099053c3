-- the mean is over all visits of a ship, future ones too
with

visits as (

    select *, avg(tons) over (partition by ship_id) as mean_tons from {{ ref('visits') }}

)

select s.sailing_id, s.sails_at, s.is_delayed, max(v.mean_tons) as mean_tons
from {{ ref('sailings') }} as s
left join visits as v on s.ship_id = v.ship_id and v.logged_at < s.sails_at
group by all
