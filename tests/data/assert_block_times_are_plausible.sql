-- Scheduled gate-to-gate time is about the time in the air, and half an hour more. With the
-- arrival on New York's clocks it is shorter for 40 % of flights.
with

landed as (

    select
        timestampdiff(minute, scheduled_departure_at, scheduled_arrival_at) - air_time as minutes_on_the_ground
    from {{ ref('fct_flights') }}
    where air_time is not null

)

select
    count(*) as landed,
    count_if(minutes_on_the_ground not between -30 and 180) as implausible
from landed
having implausible > 0.001 * landed or landed = 0
