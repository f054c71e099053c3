{{ config(materialized='incremental', unique_key='carrier') }}

with

carriers as (

    select
        carrier,
        carrier_name
    from {{ ref('stg_nycflights13__airlines') }}

)

{{ penstock.delta_changes('carriers') }}
