{{ config(materialized='incremental', incremental_strategy='append') }}

{{ penstock.tiles(ref('flown'), ref('edges'), time='predict_at', bucket='week', segments=['origin']) }}
