{{ config(materialized='incremental', unique_key='weather_id') }}

with

weather as (

    select * from {{ ref('stg_nycflights13__weather') }}

),

airports as (

    select * from {{ ref('dim_airports') }}

),

observations as (

    select
        weather.weather_id,
        weather.origin,
        weather.observed_at,
        {{ function('airport_local_time') }}(weather.observed_at, airports.time_zone) as observed_at_local,
        weather.temperature_f,
        weather.dew_point_f,
        weather.humidity_percent,
        weather.wind_direction_degrees,
        -- one published reading is 1,048 miles an hour; a hurricane of category 5 starts at 157
        case when weather.wind_speed_mph < 157 then weather.wind_speed_mph end as wind_speed_mph,
        weather.wind_gust_mph,
        weather.precipitation_inches,
        weather.pressure_millibars,
        weather.visibility_miles,
        weather.loaded_at
    from weather
    left join airports on weather.origin = airports.airport_code
    {% if is_incremental() -%}
    where weather.loaded_at > (select coalesce(max(loaded_at), timestamp'1970-01-01') from {{ this }})
    {%- endif %}

)

select * from observations
