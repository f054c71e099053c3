{{ config(materialized='incremental', incremental_strategy='merge', unique_key='prediction_id') }}

{{ penstock.labels(
    'late',
    horizon='2 days',
    model='arrival_delay',
    of=[ref('predictions_to_log'), ref('arrivals_to_log')],
) }}
