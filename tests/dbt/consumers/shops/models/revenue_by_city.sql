{{ config(materialized='table') }}

{{ penstock.metrics(['revenue', 'order_count', 'average_order'], group_by=['shop__city', 'metric_time__month']) }}
