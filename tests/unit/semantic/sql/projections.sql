-- title: a ratio is a projection over one scan
-- request: {"metrics": ["revenue_per_buyer"], "group_by": ["metric_time__month"], "order_by": ["metric_time__month"], "limit": 2}
-- holds: {"scans": {"orders": 1}}
-- before:
SELECT COALESCE(revenue.month, buyers.month) AS month, revenue.value / NULLIF(buyers.value, 0)
FROM (SELECT DATE_TRUNC('month', ordered_at) AS month, SUM(amount) AS value FROM shop.orders GROUP BY 1) revenue
FULL JOIN (
  SELECT DATE_TRUNC('month', ordered_at) AS month, COUNT(DISTINCT customer_id) AS value FROM shop.orders GROUP BY 1
) buyers ON revenue.month = buyers.month
ORDER BY 1
LIMIT 2;
-- after:
SELECT
  DATE_TRUNC('MONTH', orders.ordered_at) AS metric_time__month,
  CAST(SUM(orders.amount) AS DOUBLE) / CAST(NULLIF(COUNT(DISTINCT orders.customer_id), 0) AS DOUBLE) AS revenue_per_buyer
FROM shop.orders AS orders
GROUP BY
  1
ORDER BY
  metric_time__month ASC
LIMIT 2;

-- title: a metric over itself with a filter is a ratio of two aggregates of one scan
-- request: {"metrics": ["gift_share"], "group_by": ["customer__name"]}
-- holds: {"scans": {"orders": 1, "customers": 1}}
-- before:
SELECT COALESCE(gifts.name, whole.name), gifts.value / NULLIF(whole.value, 0)
FROM (
  SELECT c.name, SUM(o.amount) AS value
  FROM shop.orders o LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
  WHERE o.is_gift
  GROUP BY c.name
) gifts
FULL JOIN (
  SELECT c.name, SUM(o.amount) AS value
  FROM shop.orders o LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
  GROUP BY c.name
) whole ON gifts.name IS NOT DISTINCT FROM whole.name;
-- after:
SELECT
  customers.name AS customer__name,
  CAST(SUM(orders.amount) FILTER(WHERE
    orders.is_gift) AS DOUBLE) / CAST(NULLIF(SUM(orders.amount), 0) AS DOUBLE) AS gift_share
FROM shop.orders AS orders
LEFT JOIN shop.customers AS customers
  ON orders.customer_id = customers.customer_id
GROUP BY
  1;

-- title: what several metrics are made of is aggregated once
-- request: {"metrics": ["revenue_per_buyer", "revenue", "gift_share", "buyers"], "group_by": ["order__is_gift"]}
-- holds: {"scans": {"orders": 1}}
-- before:
WITH each AS (
  SELECT is_gift, SUM(amount) * 1.0 / NULLIF(COUNT(DISTINCT customer_id), 0) AS value FROM shop.orders GROUP BY is_gift
),
revenue AS (SELECT is_gift, SUM(amount) AS value FROM shop.orders GROUP BY is_gift),
gifts AS (
  SELECT is_gift, SUM(CASE WHEN is_gift THEN amount END) / NULLIF(SUM(amount), 0) AS value
  FROM shop.orders
  GROUP BY is_gift
),
buyers AS (SELECT is_gift, COUNT(DISTINCT customer_id) AS value FROM shop.orders GROUP BY is_gift)
SELECT each.is_gift, each.value, revenue.value, gifts.value, buyers.value
FROM each
FULL JOIN revenue ON each.is_gift IS NOT DISTINCT FROM revenue.is_gift
FULL JOIN gifts ON each.is_gift IS NOT DISTINCT FROM gifts.is_gift
FULL JOIN buyers ON each.is_gift IS NOT DISTINCT FROM buyers.is_gift;
-- after:
SELECT
  combined.order__is_gift AS order__is_gift,
  CAST(combined.revenue AS DOUBLE) / CAST(NULLIF(combined.buyers, 0) AS DOUBLE) AS revenue_per_buyer,
  combined.revenue AS revenue,
  CAST(combined.revenue_2 AS DOUBLE) / CAST(NULLIF(combined.revenue, 0) AS DOUBLE) AS gift_share,
  combined.buyers AS buyers
FROM (
  SELECT
    orders.is_gift AS order__is_gift,
    SUM(orders.amount) AS revenue,
    COUNT(DISTINCT orders.customer_id) AS buyers,
    SUM(orders.amount) FILTER(WHERE
      orders.is_gift) AS revenue_2
  FROM shop.orders AS orders
  GROUP BY
    1
) AS combined;

-- title: a metric made of a metric made of metrics is one expression
-- request: {"metrics": ["net_revenue", "net_twice"], "group_by": ["customer"]}
-- holds: {"scans": {"orders": 1, "refunds": 1}}
-- before:
WITH net AS (
  SELECT COALESCE(o.customer_id, r.customer_id) AS customer, o.value - COALESCE(r.value, 0) AS value
  FROM (SELECT customer_id, SUM(amount) AS value FROM shop.orders GROUP BY customer_id) o
  FULL JOIN (SELECT customer_id, SUM(amount) AS value FROM shop.refunds GROUP BY customer_id) r
    ON o.customer_id IS NOT DISTINCT FROM r.customer_id
),
twice AS (
  SELECT COALESCE(o.customer_id, r.customer_id) AS customer, COALESCE(o.value - COALESCE(r.value, 0), 0) * 2 AS value
  FROM (SELECT customer_id, SUM(amount) AS value FROM shop.orders GROUP BY customer_id) o
  FULL JOIN (SELECT customer_id, SUM(amount) AS value FROM shop.refunds GROUP BY customer_id) r
    ON o.customer_id IS NOT DISTINCT FROM r.customer_id
)
SELECT net.customer, net.value, twice.value
FROM net FULL JOIN twice ON net.customer IS NOT DISTINCT FROM twice.customer;
-- after:
SELECT
  combined.customer AS customer,
  CASE
    WHEN combined.revenue__found = 1 OR combined.refunded_or_0__found = 1
    THEN combined.revenue - (
      COALESCE(combined.refunded_or_0, 0)
    )
  END AS net_revenue,
  CASE
    WHEN combined.revenue__found = 1 OR combined.refunded_or_0__found = 1
    THEN COALESCE((
      combined.revenue - (
        COALESCE(combined.refunded_or_0, 0)
      )
    ), 0) * 2
  END AS net_twice
FROM (
  SELECT
    branches.customer AS customer,
    MAX(branches.revenue) AS revenue,
    MAX(branches.revenue__found) AS revenue__found,
    MAX(branches.refunded_or_0) AS refunded_or_0,
    MAX(branches.refunded_or_0__found) AS refunded_or_0__found
  FROM (
    SELECT
      orders.customer_id AS customer,
      SUM(orders.amount) AS revenue,
      1 AS revenue__found,
      NULL AS refunded_or_0,
      NULL AS refunded_or_0__found
    FROM shop.orders AS orders
    GROUP BY
      1
    UNION ALL
    SELECT
      refunds.customer_id AS customer,
      NULL AS revenue,
      NULL AS revenue__found,
      SUM(refunds.amount) AS refunded_or_0,
      1 AS refunded_or_0__found
    FROM shop.refunds AS refunds
    GROUP BY
      1
  ) AS branches
  GROUP BY
    1
) AS combined;
