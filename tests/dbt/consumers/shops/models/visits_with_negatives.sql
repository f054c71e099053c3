{{ config(materialized='table') }}

{% set asked = {
    'spine': ref('visits'),
    'at': 'asked_at',
    'entities': {'visit': 'visit_id', 'shop': 'shop_id'},
    'features': ['shop.shops.city as city'],
    'columns': ['visit_id', 'shop_id'],
    'split': {'by': 'time', 'test_from': '2026-02-01', 'gap': '20 days'},
} %}

{% set drawn = {'entity': 'shop', 'per_row': 4, 'label': 'came'} %}

select 'shops' as candidates, *
from ({{ penstock.training_set(negatives=dict(drawn, candidates=ref('shops')), **asked) }})

union all

select 'later' as candidates, *
from ({{ penstock.training_set(
    negatives=dict(drawn, candidates={'relation': ref('orders'), 'column': 'shop_id', 'since': 'ordered_at'}),
    sample={'share': 1, 'by': ['visit_id']},
    **asked
) }})
