{{ config(materialized='incremental', unique_key='flight_id') }}

with

flights as (

    select * from {{ ref('fct_flights') }}
    where arrival_delay is not null
    {% if is_incremental() -%}
    and loaded_at > (select coalesce(max(loaded_at), timestamp'1970-01-01') from {{ this }})
    {%- endif %}

),

spine as (

    select

        ----------  ids
        flight_id,
        carrier,
        tailnum,
        origin,
        dest,
        route_id,

        ---------- timestamps
        scheduled_departure_at - interval '2' hour as predict_at,
        arrival_known_at as label_known_at,

        ---------- features of the schedule, known long before
        departure_date,
        departure_hour,
        departure_weekday,
        departure_month,
        distance,

        ---------- label
        cast(is_late as int) as is_late,

        loaded_at

    from flights

)

select * from spine
