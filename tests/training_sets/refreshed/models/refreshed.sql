{{ config(materialized='incremental', incremental_strategy='merge', unique_key='visit_id') }}

{{ penstock.training_set(
    spine=ref('visits'),
    at='asked_at',
    entities={'shop': 'shop_id'},
    features=['shop.pieces over 7 days', 'shop.order_count to date', 'shop.orders.pieces within 2 days as last_pieces'],
) }}
