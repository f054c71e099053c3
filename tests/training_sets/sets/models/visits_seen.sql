{{ config(materialized='view') }}

select * from {{ ref('visits') }}
