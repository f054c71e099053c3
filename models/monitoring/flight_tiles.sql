{{ config(materialized='incremental', incremental_strategy='append') }}

{{ penstock.tiles(
    ref('arrival_delay_training'),
    ref('arrival_delay_edges'),
    time='predict_at',
    bucket='week',
    segments=['origin'],
) }}
