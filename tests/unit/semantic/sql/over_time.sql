-- title: an offset is aggregated before it is moved
-- request: {"metrics": ["revenue_mom"], "group_by": ["metric_time__month"]}
SELECT
  combined.metric_time__month AS metric_time__month,
  (
    combined.revenue - combined.revenue_2
  ) / NULLIF(combined.revenue_2, 0) AS revenue_mom
FROM (
  SELECT
    branches.metric_time__month AS metric_time__month,
    MAX(branches.revenue) AS revenue,
    MAX(branches.revenue_2) AS revenue_2
  FROM (
    SELECT
      DATE_TRUNC('MONTH', orders.ordered_at) AS metric_time__month,
      SUM(orders.amount) AS revenue,
      NULL AS revenue_2
    FROM shop.orders AS orders
    GROUP BY
      1
    UNION ALL
    SELECT
      spine.moment AS metric_time__month,
      NULL AS revenue,
      earlier.revenue_2 AS revenue_2
    FROM (
      SELECT DISTINCT
        DATE_TRUNC('MONTH', days.day) AS moment
      FROM shop.days AS days
    ) AS spine
    INNER JOIN (
      SELECT
        DATE_TRUNC('MONTH', orders.ordered_at) AS moment,
        SUM(orders.amount) AS revenue_2
      FROM shop.orders AS orders
      GROUP BY
        1
    ) AS earlier
      ON earlier.moment = spine.moment - INTERVAL 1 MONTH
  ) AS branches
  GROUP BY
    1
) AS combined;

-- title: a running sum is added up by day first
-- request: {"metrics": ["revenue_7_days"], "group_by": ["metric_time"], "time_constraint": ["2024-01-01", "2024-01-31"]}
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  SUM(daily.revenue_7_days__sum) AS revenue_7_days
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue_7_days__sum
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at < CAST('2024-02-01' AS TIMESTAMP) + INTERVAL 1 DAY
    AND orders.ordered_at > CAST('2024-01-01' AS TIMESTAMP) - INTERVAL 7 DAY
  GROUP BY
    1
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 7 DAY
WHERE
  spine.day >= CAST('2024-01-01' AS TIMESTAMP)
  AND spine.day < CAST('2024-02-01' AS TIMESTAMP)
GROUP BY
  1;

-- title: what can't be added up is joined row by row
-- request: {"metrics": ["buyers_30_days"], "group_by": ["metric_time__day"], "dialect": "spark"}
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

-- title: an offset by periods of a custom grain
-- request: {"metrics": ["revenue_last_season"], "group_by": ["metric_time__day"]}
SELECT
  spine.moment AS metric_time__day,
  SUM(earlier.revenue__sum) AS revenue_last_season
FROM (
  SELECT
    numbered.source AS source,
    CASE
      WHEN moved.first + (
        numbered.place - 1
      ) * INTERVAL 1 DAY <= moved.last
      THEN moved.first + (
        numbered.place - 1
      ) * INTERVAL 1 DAY
    END AS moment
  FROM (
    SELECT
      days.day AS source,
      days.season AS period,
      ROW_NUMBER() OVER (PARTITION BY days.season ORDER BY days.day) AS place
    FROM shop.days AS days
  ) AS numbered
  INNER JOIN (
    SELECT
      periods.period AS period,
      LEAD(periods.first, 1) OVER (ORDER BY periods.period) AS first,
      LEAD(periods.last, 1) OVER (ORDER BY periods.period) AS last
    FROM (
      SELECT
        days.season AS period,
        MIN(days.day) AS first,
        MAX(days.day) AS last
      FROM shop.days AS days
      GROUP BY
        1
    ) AS periods
  ) AS moved
    ON numbered.period = moved.period
) AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue__sum
  FROM shop.orders AS orders
  GROUP BY
    1
) AS earlier
  ON earlier.moment = DATE_TRUNC('DAY', spine.source)
GROUP BY
  1;

-- title: the mean of the running totals of each quarter
-- request: {"metrics": ["revenue_month_to_date"], "group_by": ["metric_time__quarter"]}
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
