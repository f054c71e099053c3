{{ config(materialized='incremental', incremental_strategy='merge', unique_key='visit_id') }}

{{ penstock.training_set(
    predict='PREDICT count(orders where pieces > 6) OVER NEXT 2 days SETTLED AFTER 10 days FOR shop shop_id AT asked_at '
            'GIVEN shop.pieces over 7 days',
    spine=ref('visits'),
) }}
