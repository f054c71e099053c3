{{ config(materialized='table') }}

{{ penstock.edges(ref('arrived'), features=['carrier', 'distance', 'departure_hour', 'origin__weather__temperature_f']) }}
