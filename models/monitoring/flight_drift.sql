{{ config(materialized='table') }}

{{ penstock.drift(
    ref('flight_tiles'),
    ref('training_tiles'),
    ref('arrival_delay_edges'),
    window='4 weeks',
    bucket='week',
) }}
