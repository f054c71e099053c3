{{ config(materialized='table') }}

select shop_id, {{ function('shout') }}(city) as greeting from {{ ref('shops') }}
