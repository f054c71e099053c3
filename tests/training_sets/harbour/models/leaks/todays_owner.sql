-- each sailing gets the owner of today
select s.sailing_id, s.sails_at, s.is_delayed, o.owner
from {{ ref('sailings') }} as s
left join {{ ref('owners') }} as o on s.ship_id = o.ship_id and o.valid_to is null
