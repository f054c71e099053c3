{{ config(materialized='incremental', unique_key='date_hour') }}

with

hours as (

    select explode(sequence(timestamp'2012-12-01 00:00:00', timestamp'2014-02-01 00:00:00', interval '1' hour)) as date_hour

)

{{ penstock.delta_changes('hours') }}
