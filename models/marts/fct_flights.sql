{{ config(materialized='incremental', unique_key='flight_id') }}

with

flights as (

    select * from {{ ref('stg_nycflights13__flights') }}
    {% if is_incremental() -%}
    where loaded_at > (select coalesce(max(loaded_at), timestamp'1970-01-01') from {{ this }})
    {%- endif %}

),

airports as (

    select * from {{ ref('dim_airports') }}

),

-- The schedule gives the arrival on the destination's clocks without a day. Read it on the day of departure there, …
same_day as (

    select
        flights.*,
        airports.time_zone as dest_time_zone,
        date_trunc('day', from_utc_timestamp(flights.scheduled_departure_at, airports.time_zone))
            + (flights.scheduled_arrival_clock div 100 * 60 + flights.scheduled_arrival_clock % 100) * interval '1' minute
            as scheduled_arrival_local
    from flights
    left join airports on flights.dest = airports.airport_code

),

-- … and on the next one if that would be before the departure.
scheduled as (

    select
        *,
        case
            when to_utc_timestamp(scheduled_arrival_local, dest_time_zone) > scheduled_departure_at
                then to_utc_timestamp(scheduled_arrival_local, dest_time_zone)
            else to_utc_timestamp(scheduled_arrival_local + interval '1' day, dest_time_zone)
        end as scheduled_arrival_at
    from same_day

),

flown as (

    select
        *,
        scheduled_departure_at + departure_delay * interval '1' minute as departed_at,
        scheduled_arrival_at + arrival_delay * interval '1' minute as arrived_at
    from scheduled

),

final as (

    select

        ----------  ids
        flight_id,
        carrier,
        flight_number,
        tailnum,
        origin,
        dest,
        concat_ws('-', origin, dest) as route_id,

        ---------- event time
        scheduled_departure_at,
        departed_at,
        scheduled_arrival_at,
        arrived_at,

        ---------- knowledge time: what never happens is known a day after it was due
        coalesce(departed_at, scheduled_departure_at + interval '24' hour) as departure_known_at,
        coalesce(
            arrived_at,
            greatest(coalesce(departed_at, scheduled_departure_at), scheduled_arrival_at) + interval '24' hour
        ) as arrival_known_at,

        ---------- what came of it
        departure_delay,
        arrival_delay,
        air_time,
        distance,
        departed_at is null as is_cancelled,
        departed_at is not null and arrived_at is null as is_diverted,
        arrival_delay > 15 as is_late,

        ---------- calendar at the origin
        departure_date,
        scheduled_departure_clock div 100 as departure_hour,
        cast(weekday(departure_date) + 1 as bigint) as departure_weekday,
        cast(month(departure_date) as bigint) as departure_month,

        loaded_at

    from flown

)

select * from final
