{{ config(materialized='incremental', unique_key='airport_code') }}

with

published as (

    select
        airport_code,
        airport_name,
        latitude,
        longitude,
        altitude_feet,
        time_zone
    from {{ ref('stg_nycflights13__airports') }}

),

supplied as (

    select
        airport_code,
        airport_name,
        latitude,
        longitude,
        altitude_feet,
        time_zone
    from {{ ref('supplied_airports') }}

),

airports as (

    select * from published
    union all
    select * from supplied

)

{{ penstock.delta_changes('airports') }}
