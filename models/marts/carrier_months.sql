{{ config(materialized='table') }}

{{ penstock.metrics(
    metrics=['flights', 'on_time_rate', 'avg_arrival_delay', 'cancelled_rate'],
    group_by=['carrier', 'carrier__carrier_name', 'metric_time__month'],
) }}
