{{ config(materialized='table') }}

select id, {{ penstock.predict('buyers', 'e.*') }} as p_buys from {{ ref('examples') }} as e
