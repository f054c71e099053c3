-- title: a running sum is added up by day first
-- request: {"metrics": ["revenue_7_days"], "group_by": ["metric_time"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT d.day, SUM(o.amount)
FROM shop.days d
JOIN shop.orders o
  ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 7 DAY
GROUP BY d.day;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  SUM(daily.revenue_7_days__sum) AS revenue_7_days
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue_7_days__sum
  FROM shop.orders AS orders
  GROUP BY
    1
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 7 DAY
GROUP BY
  1;

-- title: what is counted by its values has each of them once a day
-- request: {"metrics": ["buyers_30_days"], "group_by": ["metric_time__day"], "dialect": "spark"}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT d.day, COUNT(DISTINCT o.customer_id)
FROM shop.days d
JOIN shop.orders o
  ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 30 DAY
GROUP BY d.day;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  COUNT(DISTINCT daily.buyers_30_days) AS buyers_30_days
FROM shop.days AS spine
INNER JOIN (
  SELECT DISTINCT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    orders.customer_id AS buyers_30_days
  FROM shop.orders AS orders
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 30 DAY
GROUP BY
  1;

-- title: a median is joined row by row
-- request: {"metrics": ["median_amount over 10 days"], "group_by": ["metric_time__day", "order__is_gift"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "row_by_row": ["daily"]}
-- before:
SELECT d.day, o.is_gift, MEDIAN(o.amount)
FROM shop.days d
JOIN shop.orders o
  ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 10 DAY
GROUP BY d.day, o.is_gift;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  daily.order__is_gift AS order__is_gift,
  QUANTILE_CONT(daily.median_amount, 0.5
  ORDER BY
    daily.median_amount) AS median_amount__over_10_days
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    orders.is_gift AS order__is_gift,
    orders.amount AS median_amount
  FROM shop.orders AS orders
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 10 DAY
GROUP BY
  1,
  2;

-- title: a mean is two sums until the end
-- request: {"metrics": ["avg_quantity to date"], "group_by": ["metric_time__day", "order__is_gift"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT d.day, o.is_gift, AVG(o.quantity)
FROM shop.days d
JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) <= d.day
GROUP BY d.day, o.is_gift;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  daily.order__is_gift AS order__is_gift,
  CAST(SUM(daily.avg_quantity__sum) AS DOUBLE) / NULLIF(SUM(daily.avg_quantity__count), 0) AS avg_quantity__to_date
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    orders.is_gift AS order__is_gift,
    SUM(orders.quantity) AS avg_quantity__sum,
    SUM(CASE WHEN NOT orders.quantity IS NULL THEN 1 ELSE 0 END) AS avg_quantity__count
  FROM shop.orders AS orders
  GROUP BY
    1,
    2
) AS daily
  ON daily.moment <= spine.day
GROUP BY
  1,
  2;

-- title: filters of what is added up over a range are conditional aggregates
-- request: {"metrics": ["gift_share over 7 days", "revenue over 7 days"], "group_by": ["metric_time__day"], "where": ["{{ Dimension('order__quantity') }} > 1"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT
  d.day, SUM(CASE WHEN o.is_gift THEN o.amount END) / NULLIF(SUM(o.amount), 0), SUM(o.amount)
FROM shop.days d
JOIN shop.orders o
  ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 7 DAY
WHERE o.quantity > 1
GROUP BY d.day;
-- after:
SELECT
  combined.metric_time__day AS metric_time__day,
  CAST(combined.revenue AS DOUBLE) / CAST(NULLIF(combined.revenue_2, 0) AS DOUBLE) AS gift_share__over_7_days,
  combined.revenue_2 AS revenue__over_7_days
FROM (
  SELECT
    DATE_TRUNC('DAY', spine.day) AS metric_time__day,
    SUM(daily.revenue__sum) AS revenue,
    SUM(daily.revenue_2__sum) AS revenue_2
  FROM shop.days AS spine
  INNER JOIN (
    SELECT
      DATE_TRUNC('DAY', orders.ordered_at) AS moment,
      SUM(CASE WHEN orders.is_gift THEN orders.amount END) AS revenue__sum,
      SUM(orders.amount) AS revenue_2__sum
    FROM shop.orders AS orders
    WHERE
      orders.quantity > 1
    GROUP BY
      1
  ) AS daily
    ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 7 DAY
  GROUP BY
    1
) AS combined;

-- title: the mean of the running totals of each quarter
-- request: {"metrics": ["revenue_month_to_date"], "group_by": ["metric_time__quarter"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT DATE_TRUNC('quarter', day), AVG(CAST(value AS DOUBLE))
FROM (
  SELECT d.day, SUM(o.amount) AS value
  FROM shop.days d
  JOIN shop.orders o
    ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) >= DATE_TRUNC('month', d.day)
  GROUP BY d.day
) totals
GROUP BY 1;
-- after:
SELECT
  running.metric_time__quarter AS metric_time__quarter,
  CAST(SUM(running.revenue_month_to_date) AS DOUBLE) / NULLIF(COUNT(running.revenue_month_to_date), 0) AS revenue_month_to_date
FROM (
  SELECT
    spine.day AS moment,
    DATE_TRUNC('QUARTER', spine.day) AS metric_time__quarter,
    SUM(daily.revenue_month_to_date__sum) AS revenue_month_to_date
  FROM shop.days AS spine
  INNER JOIN (
    SELECT
      DATE_TRUNC('DAY', orders.ordered_at) AS moment,
      SUM(orders.amount) AS revenue_month_to_date__sum
    FROM shop.orders AS orders
    GROUP BY
      1
  ) AS daily
    ON daily.moment <= spine.day AND daily.moment >= DATE_TRUNC('MONTH', spine.day)
  GROUP BY
    1,
    2
) AS running
GROUP BY
  1;

-- title: the last value of each month
-- request: {"metrics": ["revenue_7_days"], "group_by": ["metric_time__month"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
WITH totals AS (
  SELECT d.day, SUM(o.amount) AS value
  FROM shop.days d
  JOIN shop.orders o
    ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 7 DAY
  GROUP BY d.day
)
SELECT DATE_TRUNC('month', totals.day), totals.value
FROM totals
JOIN (SELECT MAX(day) AS day FROM totals GROUP BY DATE_TRUNC('month', day)) ends ON totals.day = ends.day;
-- after:
SELECT
  ranked.metric_time__month AS metric_time__month,
  ranked.revenue_7_days AS revenue_7_days
FROM (
  SELECT
    running.metric_time__month AS metric_time__month,
    running.revenue_7_days AS revenue_7_days,
    ROW_NUMBER() OVER (PARTITION BY running.metric_time__month ORDER BY running.moment DESC) AS place
  FROM (
    SELECT
      spine.day AS moment,
      DATE_TRUNC('MONTH', spine.day) AS metric_time__month,
      SUM(daily.revenue_7_days__sum) AS revenue_7_days
    FROM shop.days AS spine
    INNER JOIN (
      SELECT
        DATE_TRUNC('DAY', orders.ordered_at) AS moment,
        SUM(orders.amount) AS revenue_7_days__sum
      FROM shop.orders AS orders
      GROUP BY
        1
    ) AS daily
      ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 7 DAY
    GROUP BY
      1,
      2
  ) AS running
) AS ranked
WHERE
  ranked.place = 1;
