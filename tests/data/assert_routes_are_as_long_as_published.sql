-- The distance between the airports' coordinates is the published one, within one per cent or five miles.
select *
from {{ ref('dim_routes') }}
where abs(great_circle_miles - distance) > greatest(5, 0.01 * distance)
