{{ config(materialized='metric_view') }}

{{ penstock.metric_view('orders') }}
