-- title: two facts meet by UNION ALL
-- request: {"metrics": ["refund_rate", "revenue"], "group_by": ["metric_time__day", "customer__is_member"]}
SELECT
  combined.metric_time__day AS metric_time__day,
  combined.customer__is_member AS customer__is_member,
  CAST(combined.refunded AS DOUBLE) / CAST(NULLIF(combined.revenue, 0) AS DOUBLE) AS refund_rate,
  combined.revenue AS revenue
FROM (
  SELECT
    branches.metric_time__day AS metric_time__day,
    branches.customer__is_member AS customer__is_member,
    MAX(branches.refunded) AS refunded,
    MAX(branches.revenue) AS revenue
  FROM (
    SELECT
      DATE_TRUNC('DAY', refunds.refunded_at) AS metric_time__day,
      customers.is_member AS customer__is_member,
      SUM(refunds.amount) AS refunded,
      NULL AS revenue
    FROM shop.refunds AS refunds
    LEFT JOIN shop.customers AS customers
      ON refunds.customer_id = customers.customer_id
    GROUP BY
      1,
      2
    UNION ALL
    SELECT
      DATE_TRUNC('DAY', orders.ordered_at) AS metric_time__day,
      customers.is_member AS customer__is_member,
      NULL AS refunded,
      SUM(orders.amount) AS revenue
    FROM shop.orders AS orders
    LEFT JOIN shop.customers AS customers
      ON orders.customer_id = customers.customer_id
    GROUP BY
      1,
      2
  ) AS branches
  GROUP BY
    1,
    2
) AS combined;

-- title: of no rows a metric makes nothing, whatever its expression
-- request: {"metrics": ["visits", "net_twice"], "group_by": ["customer"]}
SELECT
  combined.customer AS customer,
  combined.visits AS visits,
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
    MAX(branches.visits) AS visits,
    MAX(branches.revenue) AS revenue,
    MAX(branches.revenue__found) AS revenue__found,
    MAX(branches.refunded_or_0) AS refunded_or_0,
    MAX(branches.refunded_or_0__found) AS refunded_or_0__found
  FROM (
    SELECT
      visits.customer_id AS customer,
      SUM(1) AS visits,
      NULL AS revenue,
      NULL AS revenue__found,
      NULL AS refunded_or_0,
      NULL AS refunded_or_0__found
    FROM shop.visits AS visits
    GROUP BY
      1
    UNION ALL
    SELECT
      orders.customer_id AS customer,
      NULL AS visits,
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
      NULL AS visits,
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
