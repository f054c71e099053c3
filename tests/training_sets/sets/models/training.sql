{{ config(tblproperties={'team': 'shops'}) }}

{{ penstock.training_set(
    spine=ref('visits'),
    at='asked_at',
    entities={'shop': 'shop_id'},
    features=[
        'shop.pieces over 7 days',
        'shop.weight over 7 days',
        'shop.weight to date',
        'shop.pieces_an_order to date as mean_pieces',
        'shop.orders.weight within 2 days as last_weight',
        'shop.shops.city as city',
    ],
) }}
