-- title: two hops
-- request: {"metrics": ["revenue"], "group_by": ["customer__region__region_name"]}
-- holds: {"scans": {"orders": 1, "customers": 1, "regions": 1}}
-- before:
SELECT (SELECT r.region_name FROM shop.customers c JOIN shop.regions r ON c.region_id = r.region_id WHERE c.customer_id = o.customer_id) AS region_name, SUM(o.amount)
FROM shop.orders o
GROUP BY 1;
-- after:
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
-- holds: {"scans": {"orders": 1, "prices": 1}}
-- before:
WITH valid AS (
  SELECT o.order_id, p.band
  FROM shop.orders o
  JOIN shop.prices p ON o.product_id = p.product_id
  WHERE o.ordered_at >= p.valid_from AND o.ordered_at < COALESCE(p.valid_to, TIMESTAMP '9999-01-01 00:00:00')
)
SELECT v.band, SUM(o.amount) FROM shop.orders o LEFT JOIN valid v ON o.order_id = v.order_id GROUP BY v.band;
-- after:
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
-- holds: {"scans": {"orders": 2}}
-- before:
SELECT COUNT(order_id)
FROM shop.orders
WHERE customer_id IN (SELECT customer_id FROM shop.orders GROUP BY customer_id HAVING SUM(amount) > 5);
-- after:
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
