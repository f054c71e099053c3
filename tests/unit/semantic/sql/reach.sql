-- title: a running sum reads the days of its window before the first that is shown
-- request: {"metrics": ["revenue_7_days"], "group_by": ["metric_time"], "time_constraint": ["2024-01-05", "2024-01-31"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "bounds": {"orders.ordered_at": [["2023-12-29", "2024-02-01"]], "days.day": [["2024-01-05", "2024-02-01"]]}}
-- before:
SELECT * FROM (
  SELECT d.day, SUM(o.amount)
  FROM shop.days d
  JOIN shop.orders o
    ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 7 DAY
  GROUP BY d.day
) totals
WHERE day BETWEEN '2024-01-05' AND '2024-01-31';
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
  WHERE
    orders.ordered_at < CAST('2024-02-01' AS TIMESTAMP)
    AND orders.ordered_at > CAST('2024-01-05' AS TIMESTAMP) - INTERVAL 7 DAY
  GROUP BY
    1
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 7 DAY
WHERE
  spine.day >= CAST('2024-01-05' AS TIMESTAMP)
  AND spine.day < CAST('2024-02-01' AS TIMESTAMP)
GROUP BY
  1;

-- title: a filter on time is looked back from as well
-- request: {"metrics": ["buyers over 2 weeks"], "group_by": ["metric_time__day"], "where": ["{{ TimeDimension('metric_time', 'month') }} = '2024-02-01'"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "bounds": {"orders.ordered_at": [["2024-01-18", "2024-03-01"]], "days.day": [["2024-02-01", "2024-03-01"]]}}
-- before:
SELECT * FROM (
  SELECT d.day, COUNT(DISTINCT o.customer_id)
  FROM shop.days d
  JOIN shop.orders o
    ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 14 DAY
  GROUP BY d.day
) totals
WHERE DATE_TRUNC('month', day) = '2024-02-01';
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  COUNT(DISTINCT daily.buyers) AS buyers__over_2_weeks
FROM shop.days AS spine
INNER JOIN (
  SELECT DISTINCT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    orders.customer_id AS buyers
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at < CAST('2024-03-01' AS TIMESTAMP)
    AND orders.ordered_at > CAST('2024-02-01' AS TIMESTAMP) - INTERVAL 2 WEEK
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 2 WEEK
WHERE
  (
    spine.day >= CAST('2024-02-01' AS TIMESTAMP)
    AND spine.day < CAST('2024-03-01' AS TIMESTAMP)
  )
GROUP BY
  1;

-- title: the month to date begins with the month of the first day
-- request: {"metrics": ["revenue month to date"], "group_by": ["metric_time__day"], "where": ["{{ TimeDimension('metric_time', 'day') }} >= '2024-02-10'"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "bounds": {"orders.ordered_at": [["2024-02-01", null]], "days.day": [["2024-02-10", null]]}}
-- before:
SELECT * FROM (
  SELECT d.day, SUM(o.amount)
  FROM shop.days d
  JOIN shop.orders o
    ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) >= DATE_TRUNC('month', d.day)
  GROUP BY d.day
) totals
WHERE day >= '2024-02-10';
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  SUM(daily.revenue__sum) AS revenue__month_to_date
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue__sum
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at >= CAST('2024-02-01' AS TIMESTAMP)
  GROUP BY
    1
) AS daily
  ON daily.moment <= spine.day AND daily.moment >= DATE_TRUNC('MONTH', spine.day)
WHERE
  spine.day >= CAST('2024-02-10' AS TIMESTAMP)
GROUP BY
  1;

-- title: all that was to date has an end and no beginning
-- request: {"metrics": ["revenue_to_date"], "group_by": ["metric_time__day"], "where": ["{{ TimeDimension('metric_time', 'day') }} <= '2024-01-10'"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "bounds": {"orders.ordered_at": [[null, "2024-01-11"]]}}
-- before:
SELECT * FROM (
  SELECT d.day, SUM(o.amount)
  FROM shop.days d
  JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) <= d.day
  GROUP BY d.day
) totals
WHERE day <= '2024-01-10';
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  SUM(daily.revenue_to_date__sum) AS revenue_to_date
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue_to_date__sum
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at < CAST('2024-01-11' AS TIMESTAMP)
  GROUP BY
    1
) AS daily
  ON daily.moment <= spine.day
WHERE
  spine.day < CAST('2024-01-11' AS TIMESTAMP)
GROUP BY
  1;

-- title: an offset reads the month that it shows
-- request: {"metrics": ["revenue 1 month ago", "buyers 1 month ago"], "group_by": ["metric_time__month"], "time_constraint": ["2024-02-01", "2024-02-29"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "bounds": {"orders.ordered_at": [["2024-01-01", "2024-02-01"]]}}
-- before:
SELECT * FROM (
  SELECT m.month, SUM(o.amount), COUNT(DISTINCT o.customer_id)
  FROM (SELECT DISTINCT DATE_TRUNC('month', day) AS month FROM shop.days) m
  JOIN shop.orders o ON DATE_TRUNC('month', o.ordered_at) = m.month - INTERVAL 1 MONTH
  GROUP BY m.month
) months
WHERE month = '2024-02-01';
-- after:
SELECT
  spine.moment AS metric_time__month,
  earlier.revenue AS revenue__1_month_ago,
  earlier.buyers AS buyers__1_month_ago
FROM (
  SELECT DISTINCT
    DATE_TRUNC('MONTH', days.day) AS moment
  FROM shop.days AS days
) AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('MONTH', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue,
    COUNT(DISTINCT orders.customer_id) AS buyers
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at < CAST('2024-02-01' AS TIMESTAMP) - INTERVAL 1 MONTH + INTERVAL 1 MONTH
    AND orders.ordered_at >= CAST('2024-02-01' AS TIMESTAMP) - INTERVAL 1 MONTH
  GROUP BY
    1
) AS earlier
  ON earlier.moment = spine.moment - INTERVAL 1 MONTH
WHERE
  spine.moment >= CAST('2024-02-01' AS TIMESTAMP)
  AND spine.moment < CAST('2024-03-01' AS TIMESTAMP);

-- title: several days show the last day of a shorter month
-- request: {"metrics": ["revenue 1 month ago"], "group_by": ["metric_time__day"], "where": ["{{ TimeDimension('metric_time', 'day') }} > '2024-03-28'", "{{ TimeDimension('metric_time', 'day') }} < '2024-03-31'"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "bounds": {"orders.ordered_at": [["2024-02-29", "2024-03-01"]]}}
-- before:
SELECT * FROM (
  SELECT d.day, SUM(o.amount)
  FROM shop.days d
  JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) = d.day - INTERVAL 1 MONTH
  GROUP BY d.day
) days
WHERE day > '2024-03-28' AND day < '2024-03-31';
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  earlier.revenue AS revenue__1_month_ago
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    SUM(orders.amount) AS revenue
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at < CAST('2024-03-30' AS TIMESTAMP) - INTERVAL 1 MONTH + INTERVAL 1 DAY
    AND orders.ordered_at >= CAST('2024-03-29' AS TIMESTAMP) - INTERVAL 1 MONTH
  GROUP BY
    1
) AS earlier
  ON earlier.moment = spine.day - INTERVAL 1 MONTH
WHERE
  spine.day >= CAST('2024-03-29' AS TIMESTAMP)
  AND spine.day < CAST('2024-03-31' AS TIMESTAMP);

-- title: an offset and what it is compared with are each bounded by their own time
-- request: {"metrics": ["revenue_mom"], "group_by": ["metric_time__month"], "where": ["{{ TimeDimension('metric_time', 'month') }} >= '2024-02-01'"]}
-- holds: {"scans": {"orders": 2, "days": 1}, "bounds": {"orders.ordered_at": [["2024-02-01", null], ["2024-01-01", null]]}}
-- before:
WITH revenue AS (SELECT DATE_TRUNC('month', ordered_at) AS month, SUM(amount) AS value FROM shop.orders GROUP BY 1),
before AS (
  SELECT m.month, SUM(o.amount) AS value
  FROM (SELECT DISTINCT DATE_TRUNC('month', day) AS month FROM shop.days) m
  JOIN shop.orders o ON DATE_TRUNC('month', o.ordered_at) = m.month - INTERVAL 1 MONTH
  GROUP BY 1
),
months AS (
  SELECT COALESCE(revenue.month, before.month) AS month, (revenue.value - before.value) / NULLIF(before.value, 0) AS value
  FROM revenue FULL JOIN before ON revenue.month = before.month
)
SELECT month, value FROM months WHERE month >= '2024-02-01';
-- after:
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
    WHERE
      orders.ordered_at >= CAST('2024-02-01' AS TIMESTAMP)
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
      WHERE
        orders.ordered_at >= CAST('2024-02-01' AS TIMESTAMP) - INTERVAL 1 MONTH
      GROUP BY
        1
    ) AS earlier
      ON earlier.moment = spine.moment - INTERVAL 1 MONTH
    WHERE
      spine.moment >= '2024-02-01'
  ) AS branches
  GROUP BY
    1
) AS combined;

-- title: conversions come after the visits that they are credited to, and no later than the window
-- request: {"metrics": ["visit_to_order"], "group_by": ["visit__channel"], "time_constraint": ["2024-01-01", "2024-01-01"]}
-- holds: {"scans": {"visits": 2, "orders": 1}, "bounds": {"visits.visited_at": [["2024-01-01", "2024-01-02"], ["2024-01-01", "2024-01-02"]], "orders.ordered_at": [["2024-01-01", "2024-01-09"]]}}
-- before:
WITH seen AS (SELECT * FROM shop.visits WHERE visited_at >= '2024-01-01' AND visited_at < '2024-01-02'),
ranked AS (
  SELECT
    o.order_id, v.channel,
    ROW_NUMBER() OVER (PARTITION BY o.order_id ORDER BY v.visited_at DESC, v.channel NULLS LAST) AS place
  FROM shop.orders o
  JOIN seen v
    ON o.customer_id = v.customer_id
    AND DATE_TRUNC('day', v.visited_at) <= DATE_TRUNC('day', o.ordered_at)
    AND DATE_TRUNC('day', v.visited_at) > DATE_TRUNC('day', o.ordered_at) - INTERVAL 7 DAY
),
conversions AS (SELECT channel, COUNT(*) AS value FROM ranked WHERE place = 1 GROUP BY channel),
visits AS (SELECT channel, COUNT(*) AS value FROM seen GROUP BY channel)
SELECT COALESCE(visits.channel, conversions.channel), conversions.value * 1.0 / visits.value
FROM visits FULL JOIN conversions ON visits.channel IS NOT DISTINCT FROM conversions.channel;
-- after:
SELECT
  branches.visit__channel AS visit__channel,
  CAST(MAX(branches.order_count) AS DOUBLE) / CAST(NULLIF(MAX(branches.visits), 0) AS DOUBLE) AS visit_to_order
FROM (
  SELECT
    credited.visit__channel AS visit__channel,
    SUM(credited.value_sum) AS order_count,
    NULL AS visits
  FROM (
    SELECT
      base.visit__channel AS visit__channel,
      done.value_sum AS value_sum,
      ROW_NUMBER() OVER (
        PARTITION BY done.moment, done.entity
        ORDER BY base.moment DESC, base.visit__channel
      ) AS place
    FROM (
      SELECT DISTINCT
        DATE_TRUNC('DAY', visits.visited_at) AS moment,
        visits.customer_id AS entity,
        visits.channel AS visit__channel
      FROM shop.visits AS visits
      WHERE
        visits.visited_at >= CAST('2024-01-01' AS TIMESTAMP)
        AND visits.visited_at < CAST('2024-01-02' AS TIMESTAMP)
    ) AS base
    INNER JOIN (
      SELECT
        DATE_TRUNC('DAY', orders.ordered_at) AS moment,
        orders.customer_id AS entity,
        SUM(CASE WHEN NOT orders.order_id IS NULL THEN 1 ELSE 0 END) AS value_sum
      FROM shop.orders AS orders
      WHERE
        orders.ordered_at < CAST('2024-01-01' AS TIMESTAMP) + INTERVAL 7 DAY + INTERVAL 1 DAY
        AND orders.ordered_at >= CAST('2024-01-01' AS TIMESTAMP)
      GROUP BY
        1,
        2
    ) AS done
      ON base.entity = done.entity
      AND base.moment <= done.moment
      AND base.moment > done.moment - INTERVAL 7 DAY
  ) AS credited
  WHERE
    credited.place = 1
  GROUP BY
    1
  UNION ALL
  SELECT
    visits.channel AS visit__channel,
    NULL AS order_count,
    SUM(1) AS visits
  FROM shop.visits AS visits
  WHERE
    visits.visited_at >= CAST('2024-01-01' AS TIMESTAMP)
    AND visits.visited_at < CAST('2024-01-02' AS TIMESTAMP)
  GROUP BY
    1
) AS branches
GROUP BY
  1;
