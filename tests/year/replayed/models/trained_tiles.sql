{{ config(materialized='incremental', incremental_strategy='append') }}

{{ penstock.baseline_tiles(ref('late'), ref('edges'), segments=['origin']) }}
