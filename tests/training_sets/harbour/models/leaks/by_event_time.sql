-- counts a visit from its arrival on, though it is logged later
select s.sailing_id, s.sails_at, s.is_delayed, sum(v.tons) as tons
from {{ ref('sailings') }} as s
left join {{ ref('visits') }} as v
    on s.ship_id = v.ship_id and v.arrived_at < s.sails_at and v.arrived_at >= s.sails_at - interval '3' day
group by all
