-- title: a saved query with its filter, order and limit
-- request: {"saved_query": "monthly"}
-- holds: {"scans": {"orders": 1, "refunds": 1, "customers": 2}, "bounds": {"orders.ordered_at": [["2024-01-01", null]], "refunds.refunded_at": [["2024-01-01", null]]}}
-- before:
WITH revenue AS (
  SELECT DATE_TRUNC('month', o.ordered_at) AS month, c.is_member, SUM(o.amount) AS value
  FROM shop.orders o LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
  GROUP BY 1, 2
),
refunded AS (
  SELECT DATE_TRUNC('month', r.refunded_at) AS month, c.is_member, SUM(r.amount) AS value
  FROM shop.refunds r LEFT JOIN shop.customers c ON r.customer_id = c.customer_id
  GROUP BY 1, 2
),
months AS (
  SELECT
    COALESCE(revenue.month, refunded.month) AS month, COALESCE(revenue.is_member, refunded.is_member) AS is_member,
    revenue.value AS revenue, refunded.value AS refunded
  FROM revenue
  FULL JOIN refunded ON revenue.month = refunded.month AND revenue.is_member IS NOT DISTINCT FROM refunded.is_member
)
SELECT * FROM months WHERE month >= '2024-01-01' ORDER BY month DESC NULLS LAST, revenue DESC NULLS LAST LIMIT 3;
-- after:
SELECT
  branches.metric_time__month AS metric_time__month,
  branches.customer__is_member AS customer__is_member,
  MAX(branches.revenue) AS revenue,
  MAX(branches.refunded) AS refunded
FROM (
  SELECT
    DATE_TRUNC('MONTH', orders.ordered_at) AS metric_time__month,
    customers.is_member AS customer__is_member,
    SUM(orders.amount) AS revenue,
    NULL AS refunded
  FROM shop.orders AS orders
  LEFT JOIN shop.customers AS customers
    ON orders.customer_id = customers.customer_id
  WHERE
    orders.ordered_at >= CAST('2024-01-01' AS TIMESTAMP)
  GROUP BY
    1,
    2
  UNION ALL
  SELECT
    DATE_TRUNC('MONTH', refunds.refunded_at) AS metric_time__month,
    customers.is_member AS customer__is_member,
    NULL AS revenue,
    SUM(refunds.amount) AS refunded
  FROM shop.refunds AS refunds
  LEFT JOIN shop.customers AS customers
    ON refunds.customer_id = customers.customer_id
  WHERE
    refunds.refunded_at >= CAST('2024-01-01' AS TIMESTAMP)
  GROUP BY
    1,
    2
) AS branches
GROUP BY
  1,
  2
ORDER BY
  metric_time__month DESC,
  revenue DESC
LIMIT 3;
