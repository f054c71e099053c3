{{ config(materialized='incremental', unique_key='visit_id') }}

{{ penstock.training_set(
    spine=ref('visits'),
    at='asked_at',
    entities={'shop': 'shop_id'},
    features=['shop.order_count over 1 day as day'],
) }}
