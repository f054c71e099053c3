-- title: one metric by one dimension of its own
-- request: {"metrics": ["revenue"], "group_by": ["order__is_gift"]}
SELECT
  orders.is_gift AS order__is_gift,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
GROUP BY
  1;

-- title: a ratio is a projection over one scan
-- request: {"metrics": ["revenue_per_buyer"], "group_by": ["metric_time__month"], "order_by": ["metric_time__month"], "limit": 2}
SELECT
  DATE_TRUNC('MONTH', orders.ordered_at) AS metric_time__month,
  CAST(SUM(orders.amount) AS DOUBLE) / CAST(NULLIF(COUNT(DISTINCT orders.customer_id), 0) AS DOUBLE) AS revenue_per_buyer
FROM shop.orders AS orders
GROUP BY
  1
ORDER BY
  metric_time__month ASC
LIMIT 2;

-- title: filters of metrics become conditional aggregates; a distinct count over no row is NULL
-- request: {"metrics": ["revenue", "gift_revenue", "gift_buyers"], "group_by": ["customer__is_member"]}
SELECT
  customers.is_member AS customer__is_member,
  SUM(orders.amount) AS revenue,
  SUM(orders.amount) FILTER(WHERE
    orders.is_gift) AS gift_revenue,
  CASE
    WHEN MAX(CASE WHEN orders.is_gift THEN 1 END) = 1
    THEN COUNT(DISTINCT CASE WHEN orders.is_gift THEN orders.customer_id END)
  END AS gift_buyers
FROM shop.orders AS orders
LEFT JOIN shop.customers AS customers
  ON orders.customer_id = customers.customer_id
GROUP BY
  1;

-- title: rows that no metric wants make no group
-- request: {"metrics": ["gift_revenue", "member_revenue"], "group_by": ["order"]}
SELECT
  orders.order_id AS "order",
  SUM(CASE WHEN orders.is_gift THEN orders.amount END) AS gift_revenue,
  SUM(CASE WHEN customers.is_member = TRUE THEN orders.amount END) AS member_revenue
FROM shop.orders AS orders
LEFT JOIN shop.customers AS customers
  ON orders.customer_id = customers.customer_id
WHERE
  orders.is_gift OR customers.is_member = TRUE
GROUP BY
  1;

-- title: a filter that all share is a WHERE
-- request: {"metrics": ["gift_revenue"], "group_by": [], "where": ["{{ Dimension('customer__name') }} = 'ann' or {{ TimeDimension('metric_time','month') }} >= '2024-02-01'"]}
SELECT
  SUM(orders.amount) AS gift_revenue
FROM shop.orders AS orders
LEFT JOIN shop.customers AS customers
  ON orders.customer_id = customers.customer_id
WHERE
  orders.is_gift
  AND (
    customers.name = 'ann' OR orders.ordered_at >= CAST('2024-02-01' AS TIMESTAMP)
  );

-- title: percentiles on Spark are exact
-- request: {"metrics": ["median_amount", "quantity_p90"], "group_by": [{"name": "metric_time", "date_part": "dow"}], "dialect": "spark"}
SELECT
  EXTRACT(DAYOFWEEK_ISO FROM orders.ordered_at) AS metric_time__extract_dow,
  PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY
    orders.amount) AS median_amount,
  PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY
    orders.quantity) AS quantity_p90
FROM shop.orders AS orders
GROUP BY
  1;
