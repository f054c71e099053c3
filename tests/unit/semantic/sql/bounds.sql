-- title: a month bounds the bare column
-- request: {"metrics": ["revenue"], "group_by": ["order__is_gift"], "where": ["{{ TimeDimension('metric_time', 'month') }} = '2024-01-01'"]}
-- holds: {"scans": {"orders": 1}, "bounds": {"orders.ordered_at": [["2024-01-01", "2024-02-01"]]}}
-- before:
SELECT is_gift, SUM(amount) FROM shop.orders WHERE DATE_TRUNC('month', ordered_at) = '2024-01-01' GROUP BY is_gift;
-- after:
SELECT
  orders.is_gift AS order__is_gift,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
WHERE
  (
    orders.ordered_at >= CAST('2024-01-01' AS TIMESTAMP)
    AND orders.ordered_at < CAST('2024-02-01' AS TIMESTAMP)
  )
GROUP BY
  1;

-- title: days and weeks from to bound the bare column
-- request: {"metrics": ["revenue", "refunded"], "group_by": ["customer"], "where": ["{{ TimeDimension('metric_time', 'day') }} BETWEEN '2024-01-02' AND '2024-02-20'", "'2024-01-29' >= {{ TimeDimension('metric_time', 'week') }}"]}
-- holds: {"scans": {"orders": 1, "refunds": 1}, "bounds": {"orders.ordered_at": [["2024-01-02", "2024-02-05"]], "refunds.refunded_at": [["2024-01-02", "2024-02-05"]]}}
-- before:
SELECT COALESCE(o.customer_id, r.customer_id), o.value, r.value
FROM (
  SELECT customer_id, SUM(amount) AS value
  FROM shop.orders
  WHERE CAST(ordered_at AS DATE) BETWEEN DATE '2024-01-02' AND DATE '2024-02-20'
    AND DATE_TRUNC('week', ordered_at) <= '2024-01-29'
  GROUP BY customer_id
) o
FULL JOIN (
  SELECT customer_id, SUM(amount) AS value
  FROM shop.refunds
  WHERE CAST(refunded_at AS DATE) BETWEEN DATE '2024-01-02' AND DATE '2024-02-20'
    AND DATE_TRUNC('week', refunded_at) <= '2024-01-29'
  GROUP BY customer_id
) r ON o.customer_id IS NOT DISTINCT FROM r.customer_id;
-- after:
SELECT
  branches.customer AS customer,
  MAX(branches.revenue) AS revenue,
  MAX(branches.refunded) AS refunded
FROM (
  SELECT
    orders.customer_id AS customer,
    SUM(orders.amount) AS revenue,
    NULL AS refunded
  FROM shop.orders AS orders
  WHERE
    (
      orders.ordered_at >= CAST('2024-01-02' AS TIMESTAMP)
      AND orders.ordered_at < CAST('2024-02-21' AS TIMESTAMP)
    )
    AND orders.ordered_at < CAST('2024-02-05' AS TIMESTAMP)
  GROUP BY
    1
  UNION ALL
  SELECT
    refunds.customer_id AS customer,
    NULL AS revenue,
    SUM(refunds.amount) AS refunded
  FROM shop.refunds AS refunds
  WHERE
    (
      refunds.refunded_at >= CAST('2024-01-02' AS TIMESTAMP)
      AND refunds.refunded_at < CAST('2024-02-21' AS TIMESTAMP)
    )
    AND refunds.refunded_at < CAST('2024-02-05' AS TIMESTAMP)
  GROUP BY
    1
) AS branches
GROUP BY
  1;

-- title: a time constraint bounds the rows of each fact
-- request: {"metrics": ["revenue", "refunded"], "group_by": ["metric_time__month"], "time_constraint": ["2024-01-01", "2024-01-31"]}
-- holds: {"scans": {"orders": 1, "refunds": 1}, "bounds": {"orders.ordered_at": [["2024-01-01", "2024-02-01"]], "refunds.refunded_at": [["2024-01-01", "2024-02-01"]]}}
-- before:
SELECT * FROM (
  SELECT COALESCE(o.month, r.month) AS month, o.value AS revenue, r.value AS refunded
  FROM (SELECT DATE_TRUNC('month', ordered_at) AS month, SUM(amount) AS value FROM shop.orders GROUP BY 1) o
  FULL JOIN (SELECT DATE_TRUNC('month', refunded_at) AS month, SUM(amount) AS value FROM shop.refunds GROUP BY 1) r
    ON o.month = r.month
) months
WHERE month BETWEEN '2024-01-01' AND '2024-01-31';
-- after:
SELECT
  branches.metric_time__month AS metric_time__month,
  MAX(branches.revenue) AS revenue,
  MAX(branches.refunded) AS refunded
FROM (
  SELECT
    DATE_TRUNC('MONTH', orders.ordered_at) AS metric_time__month,
    SUM(orders.amount) AS revenue,
    NULL AS refunded
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at >= CAST('2024-01-01' AS TIMESTAMP)
    AND orders.ordered_at < CAST('2024-02-01' AS TIMESTAMP)
  GROUP BY
    1
  UNION ALL
  SELECT
    DATE_TRUNC('MONTH', refunds.refunded_at) AS metric_time__month,
    NULL AS revenue,
    SUM(refunds.amount) AS refunded
  FROM shop.refunds AS refunds
  WHERE
    refunds.refunded_at >= CAST('2024-01-01' AS TIMESTAMP)
    AND refunds.refunded_at < CAST('2024-02-01' AS TIMESTAMP)
  GROUP BY
    1
) AS branches
GROUP BY
  1;
