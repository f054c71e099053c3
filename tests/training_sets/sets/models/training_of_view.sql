select * from (
    {{ penstock.training_set(
        spine=ref('visits_seen'),
        at='asked_at',
        entities={'shop': 'shop_id'},
        features=['shop.order_count over 1 day as day'],
    ) }}
) where visit_id % 2 = 0
