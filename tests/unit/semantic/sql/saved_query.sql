-- title: a saved query with its filter, order and limit
-- request: {"saved_query": "monthly"}
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
