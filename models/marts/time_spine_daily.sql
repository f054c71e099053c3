{{ config(materialized='incremental', unique_key='date_day') }}

with

days as (

    select explode(sequence(date'2012-01-01', date'2015-12-31', interval '1' day)) as date_day

)

{{ penstock.delta_changes('days') }}
