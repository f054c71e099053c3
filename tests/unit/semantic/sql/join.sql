-- title: two hops
-- request: {"metrics": ["revenue"], "group_by": ["customer__region__region_name"]}
SELECT
  regions.region_name AS customer__region__region_name,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
LEFT JOIN (
  shop.customers AS customers
    LEFT JOIN shop.regions AS regions
      ON customers.region_id = regions.region_id
)
  ON orders.customer_id = customers.customer_id
GROUP BY
  1;

-- title: the row that was valid at the time
-- request: {"metrics": ["revenue"], "group_by": ["product__band"]}
SELECT
  prices.band AS product__band,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
LEFT JOIN shop.prices AS prices
  ON orders.product_id = prices.product_id
  AND DATE_TRUNC('DAY', orders.ordered_at) >= prices.valid_from
  AND (
    DATE_TRUNC('DAY', orders.ordered_at) < prices.valid_to OR prices.valid_to IS NULL
  )
GROUP BY
  1;

-- title: a metric in a filter is joined by its entity
-- request: {"metrics": ["big_spender_orders"]}
SELECT
  SUM(CASE WHEN NOT orders.order_id IS NULL THEN 1 ELSE 0 END) AS big_spender_orders
FROM shop.orders AS orders
LEFT JOIN (
  SELECT
    orders.customer_id AS customer,
    SUM(orders.amount) AS revenue
  FROM shop.orders AS orders
  GROUP BY
    1
) AS revenue_by_customer
  ON orders.customer_id = revenue_by_customer.customer
WHERE
  revenue_by_customer.revenue > 5;
