{{ config(materialized='incremental', unique_key='tailnum') }}

with

planes as (

    select
        tailnum,
        manufactured_year,
        plane_type,
        manufacturer,
        plane_model,
        engine_type,
        engines,
        seats
    from {{ ref('stg_nycflights13__planes') }}

)

{{ penstock.delta_changes('planes') }}
