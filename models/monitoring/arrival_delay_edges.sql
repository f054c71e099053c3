{{ config(materialized='table') }}

{{ penstock.edges(
    ref('arrival_delay_training'),
    features=[
        'carrier',
        'departure_hour',
        'distance',
        'carrier__avg_departure_delay__6h',
        'origin__weather__temperature_f',
        'origin__weather__wind_speed_mph',
    ],
) }}
