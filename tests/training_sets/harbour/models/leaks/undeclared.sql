-- of the views nobody says when they are known
select s.sailing_id, s.sails_at, count(v.tons) as visits
from {{ ref('sailings') }} as s
left join {{ ref('visits_seen') }} as v on s.ship_id = v.ship_id and v.logged_at < s.sails_at
group by all
