{{ config(materialized='table') }}

select * from (
    {{ penstock.metrics(['running_takings'], group_by=['metric_time__day']) }}
) where running_takings is not null
