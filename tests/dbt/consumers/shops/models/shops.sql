select cast(shop_id as bigint) as shop_id, city from {{ ref('raw_shops') }}
