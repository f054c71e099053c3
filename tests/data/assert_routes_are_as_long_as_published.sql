-- The distance between the airports' coordinates is the published one, within 0.4 per cent (the earth is no sphere) or two miles.
select *
from {{ ref('dim_routes') }}
where abs(great_circle_miles - distance) > greatest(2, 0.004 * distance)
