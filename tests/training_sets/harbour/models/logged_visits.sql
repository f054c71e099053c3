{{ config(materialized='ephemeral') }}

select ship_id, logged_at, tons from {{ ref('visits') }}
