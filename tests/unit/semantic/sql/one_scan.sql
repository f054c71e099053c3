-- title: one metric by one dimension of its own
-- request: {"metrics": ["revenue"], "group_by": ["order__is_gift"]}
-- holds: {"scans": {"orders": 1}}
-- before:
SELECT is_gift, SUM(amount) FROM (SELECT * FROM shop.orders LEFT JOIN shop.customers USING (customer_id)) t GROUP BY is_gift;
-- after:
SELECT
  orders.is_gift AS order__is_gift,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
GROUP BY
  1;

-- title: aggregates of all kinds are one scan
-- request: {"metrics": ["revenue", "buyers", "avg_quantity", "most_quantity", "order_count"], "group_by": ["customer__is_member"]}
-- holds: {"scans": {"orders": 1, "customers": 1}}
-- before:
WITH rows_of AS (SELECT o.*, c.is_member FROM shop.orders o LEFT JOIN shop.customers c ON o.customer_id = c.customer_id),
revenue AS (SELECT is_member, SUM(amount) AS value FROM rows_of GROUP BY is_member),
buyers AS (SELECT is_member, COUNT(DISTINCT customer_id) AS value FROM rows_of GROUP BY is_member),
quantity AS (SELECT is_member, AVG(quantity) AS value FROM rows_of GROUP BY is_member),
most AS (SELECT is_member, MAX(quantity) AS value FROM rows_of GROUP BY is_member),
orders AS (SELECT is_member, COUNT(order_id) AS value FROM rows_of GROUP BY is_member)
SELECT revenue.is_member, revenue.value, buyers.value, quantity.value, most.value, orders.value
FROM revenue
FULL JOIN buyers ON revenue.is_member IS NOT DISTINCT FROM buyers.is_member
FULL JOIN quantity ON revenue.is_member IS NOT DISTINCT FROM quantity.is_member
FULL JOIN most ON revenue.is_member IS NOT DISTINCT FROM most.is_member
FULL JOIN orders ON revenue.is_member IS NOT DISTINCT FROM orders.is_member;
-- after:
SELECT
  customers.is_member AS customer__is_member,
  SUM(orders.amount) AS revenue,
  COUNT(DISTINCT orders.customer_id) AS buyers,
  CAST(SUM(orders.quantity) AS DOUBLE) / NULLIF(COUNT(orders.quantity), 0) AS avg_quantity,
  MAX(orders.quantity) AS most_quantity,
  SUM(CASE WHEN NOT orders.order_id IS NULL THEN 1 ELSE 0 END) AS order_count
FROM shop.orders AS orders
LEFT JOIN shop.customers AS customers
  ON orders.customer_id = customers.customer_id
GROUP BY
  1;

-- title: filters of metrics become conditional aggregates; a distinct count over no row is NULL
-- request: {"metrics": ["revenue", "gift_revenue", "gift_buyers"], "group_by": ["customer__is_member"]}
-- holds: {"scans": {"orders": 1, "customers": 1}}
-- before:
WITH rows_of AS (SELECT o.*, c.is_member FROM shop.orders o LEFT JOIN shop.customers c ON o.customer_id = c.customer_id),
revenue AS (SELECT is_member, SUM(amount) AS value FROM rows_of GROUP BY is_member),
gifts AS (SELECT is_member, SUM(amount) AS value FROM rows_of WHERE is_gift GROUP BY is_member),
buyers AS (SELECT is_member, COUNT(DISTINCT customer_id) AS value FROM rows_of WHERE is_gift GROUP BY is_member)
SELECT COALESCE(revenue.is_member, gifts.is_member, buyers.is_member), revenue.value, gifts.value, buyers.value
FROM revenue
FULL JOIN gifts ON revenue.is_member IS NOT DISTINCT FROM gifts.is_member
FULL JOIN buyers ON revenue.is_member IS NOT DISTINCT FROM buyers.is_member;
-- after:
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
-- holds: {"scans": {"orders": 1, "customers": 1}}
-- before:
SELECT COALESCE(gifts.order_id, members.order_id), gifts.value, members.value
FROM (SELECT order_id, SUM(amount) AS value FROM shop.orders WHERE is_gift GROUP BY order_id) gifts
FULL JOIN (
  SELECT o.order_id, SUM(o.amount) AS value
  FROM shop.orders o JOIN shop.customers c ON o.customer_id = c.customer_id
  WHERE c.is_member
  GROUP BY o.order_id
) members ON gifts.order_id = members.order_id;
-- after:
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
-- holds: {"scans": {"orders": 1, "customers": 1}}
-- before:
SELECT SUM(CASE WHEN o.is_gift THEN o.amount END)
FROM shop.orders o
LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
WHERE c.name = 'ann' OR DATE_TRUNC('month', o.ordered_at) >= '2024-02-01';
-- after:
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

-- title: percentiles are exact, on Spark too
-- request: {"metrics": ["median_amount", "quantity_p90"], "group_by": [{"name": "metric_time", "date_part": "dow"}], "dialect": "spark"}
-- holds: {"scans": {"orders": 1}}
-- before:
WITH days AS (
  SELECT DATE_DIFF('day', DATE_TRUNC('week', ordered_at), ordered_at) + 1 AS dow, amount, quantity FROM shop.orders
),
medians AS (SELECT dow, MEDIAN(amount) AS value FROM days GROUP BY dow),
ranked AS (
  SELECT dow, quantity, CUME_DIST() OVER (PARTITION BY dow ORDER BY quantity) AS part
  FROM days
  WHERE quantity IS NOT NULL
),
most AS (SELECT dow, MIN(quantity) AS value FROM ranked WHERE part >= 0.9 GROUP BY dow)
SELECT medians.dow, medians.value, most.value FROM medians LEFT JOIN most ON medians.dow = most.dow;
-- after:
SELECT
  EXTRACT(DAYOFWEEK_ISO FROM orders.ordered_at) AS metric_time__extract_dow,
  PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY
    orders.amount) AS median_amount,
  PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY
    orders.quantity) AS quantity_p90
FROM shop.orders AS orders
GROUP BY
  1;

-- title: two times of a fact are one scan where no time is asked for
-- request: {"metrics": ["buyers", "paid_revenue"], "group_by": ["customer"]}
-- holds: {"scans": {"orders": 1}}
-- before:
SELECT COALESCE(placed.customer_id, paid.customer_id), placed.value, paid.value
FROM (SELECT customer_id, COUNT(DISTINCT customer_id) AS value FROM shop.orders GROUP BY customer_id) placed
FULL JOIN (SELECT customer_id, SUM(amount) AS value FROM shop.orders GROUP BY customer_id) paid
  ON placed.customer_id IS NOT DISTINCT FROM paid.customer_id;
-- after:
SELECT
  orders.customer_id AS customer,
  COUNT(DISTINCT orders.customer_id) AS buyers,
  SUM(orders.amount) AS paid_revenue
FROM shop.orders AS orders
GROUP BY
  1;

-- title: subtotals are the same scan, by several sets of keys
-- request: {"metrics": ["revenue", "buyers"], "group_by": ["metric_time__month", "order__is_gift"], "subtotals": [["metric_time__month"], []]}
-- holds: {"scans": {"orders": 1}}
-- before:
SELECT DATE_TRUNC('month', ordered_at), is_gift, FALSE, FALSE, SUM(amount), COUNT(DISTINCT customer_id)
FROM shop.orders
GROUP BY DATE_TRUNC('month', ordered_at), is_gift
UNION ALL
SELECT DATE_TRUNC('month', ordered_at), NULL, FALSE, TRUE, SUM(amount), COUNT(DISTINCT customer_id)
FROM shop.orders
GROUP BY DATE_TRUNC('month', ordered_at)
UNION ALL
SELECT NULL, NULL, TRUE, TRUE, SUM(amount), COUNT(DISTINCT customer_id) FROM shop.orders;
-- after:
SELECT
  DATE_TRUNC('MONTH', orders.ordered_at) AS metric_time__month,
  orders.is_gift AS order__is_gift,
  GROUPING(DATE_TRUNC('MONTH', orders.ordered_at)) = 1 AS metric_time__month__is_total,
  GROUPING(orders.is_gift) = 1 AS order__is_gift__is_total,
  SUM(orders.amount) AS revenue,
  COUNT(DISTINCT orders.customer_id) AS buyers
FROM shop.orders AS orders
GROUP BY
  GROUPING SETS (
    (1, 2),
    (1),
    ()
  )
HAVING
  COUNT(*) > 0;
