select product_id, kind from {{ ref('products') }}
