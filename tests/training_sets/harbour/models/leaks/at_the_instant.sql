-- takes in what is logged at the very time of the row
select s.sailing_id, s.sails_at, s.is_delayed, sum(v.tons) as tons
from {{ ref('sailings') }} as s
left join {{ ref('logged_visits') }} as v on s.ship_id = v.ship_id and v.logged_at <= s.sails_at
group by all
