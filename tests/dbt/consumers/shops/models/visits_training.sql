{{ config(materialized='table') }}

{{ penstock.training_set(
    spine=ref('visits'),
    at='asked_at',
    entities={'shop': 'shop_id'},
    features=[
        'shop.revenue over 7 days',
        'shop.order_count to date as orders',
        'shop.orders.amount_cents as last_cents',
        'shop.shops.city as city',
    ],
    columns=['visit_id'],
) }}
