{{ config(materialized='incremental', incremental_strategy='append') }}

{{ penstock.baseline_tiles(ref('arrival_delay'), ref('arrival_delay_edges'), segments=['origin']) }}
