{{ config(materialized='table') }}

{{ penstock.training_set(
    spine=ref('departures_to_predict'),
    at='predict_at',
    entities={'carrier': 'carrier', 'origin': 'origin', 'plane': 'tailnum'},
    features=[
        'carrier.avg_departure_delay over 6 hours',
        'carrier.avg_arrival_delay over 1 day',
        'carrier.on_time_rate over 7 days',
        'origin.avg_departure_delay over 6 hours',
        'origin.cancelled_rate over 3 days',
        'origin.on_time_rate over 1 day',
        'plane.avg_arrival_delay over 1 day',
        'plane.planes.manufactured_year',
        'plane.planes.seats',
        'origin.weather.temperature_f within 6 hours',
        'origin.weather.wind_speed_mph within 6 hours',
        'origin.weather.precipitation_inches within 6 hours',
        'origin.weather.visibility_miles within 6 hours',
    ],
) }}
