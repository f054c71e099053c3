-- title: an offset is aggregated before it is moved
-- request: {"metrics": ["revenue_mom"], "group_by": ["metric_time__month"]}
-- holds: {"scans": {"orders": 2, "days": 1}}
-- before:
WITH revenue AS (SELECT DATE_TRUNC('month', ordered_at) AS month, SUM(amount) AS value FROM shop.orders GROUP BY 1),
before AS (
  SELECT m.month, SUM(o.amount) AS value
  FROM (SELECT DISTINCT DATE_TRUNC('month', day) AS month FROM shop.days) m
  JOIN shop.orders o ON DATE_TRUNC('month', o.ordered_at) = m.month - INTERVAL 1 MONTH
  GROUP BY 1
)
SELECT COALESCE(revenue.month, before.month), (revenue.value - before.value) / NULLIF(before.value, 0)
FROM revenue FULL JOIN before ON revenue.month = before.month;
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

-- title: the month before each day has rows of one day
-- request: {"metrics": ["avg_quantity 1 month ago"], "group_by": ["metric_time__day", "customer__is_member"]}
-- holds: {"scans": {"orders": 1, "customers": 1, "days": 1}}
-- before:
SELECT d.day, c.is_member, AVG(o.quantity)
FROM shop.days d
JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) = d.day - INTERVAL 1 MONTH
LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
GROUP BY d.day, c.is_member;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  earlier.customer__is_member AS customer__is_member,
  earlier.avg_quantity AS avg_quantity__1_month_ago
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    customers.is_member AS customer__is_member,
    CAST(SUM(orders.quantity) AS DOUBLE) / NULLIF(COUNT(orders.quantity), 0) AS avg_quantity
  FROM shop.orders AS orders
  LEFT JOIN shop.customers AS customers
    ON orders.customer_id = customers.customer_id
  GROUP BY
    1,
    2
) AS earlier
  ON earlier.moment = spine.day - INTERVAL 1 MONTH;

-- title: parts of a ratio are moved together
-- request: {"metrics": ["revenue_per_buyer 1 month ago"], "group_by": ["metric_time__month"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT m.month, SUM(o.amount) / NULLIF(COUNT(DISTINCT o.customer_id), 0)
FROM (SELECT DISTINCT DATE_TRUNC('month', day) AS month FROM shop.days) m
JOIN shop.orders o ON DATE_TRUNC('month', o.ordered_at) = m.month - INTERVAL 1 MONTH
GROUP BY m.month;
-- after:
SELECT
  spine.moment AS metric_time__month,
  CAST(earlier.revenue AS DOUBLE) / CAST(NULLIF(earlier.buyers, 0) AS DOUBLE) AS revenue_per_buyer__1_month_ago
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
  GROUP BY
    1
) AS earlier
  ON earlier.moment = spine.moment - INTERVAL 1 MONTH;

-- title: yesterday's values of a month are counted from its days
-- request: {"metrics": ["buyers_yesterday"], "group_by": ["metric_time__month"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT DATE_TRUNC('month', d.day), COUNT(DISTINCT o.customer_id)
FROM shop.days d
JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) = d.day - INTERVAL 1 DAY
GROUP BY 1;
-- after:
SELECT
  DATE_TRUNC('MONTH', spine.day) AS metric_time__month,
  COUNT(DISTINCT earlier.buyers) AS buyers_yesterday
FROM shop.days AS spine
INNER JOIN (
  SELECT DISTINCT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    orders.customer_id AS buyers
  FROM shop.orders AS orders
) AS earlier
  ON earlier.moment = spine.day - INTERVAL 1 DAY
GROUP BY
  1;

-- title: what there was at the start of the month
-- request: {"metrics": ["revenue_since_month_start"], "group_by": ["metric_time__day"]}
-- holds: {"scans": {"orders": 2, "days": 1}}
-- before:
WITH revenue AS (SELECT DATE_TRUNC('day', ordered_at) AS day, SUM(amount) AS value FROM shop.orders GROUP BY 1),
at_start AS (
  SELECT d.day, SUM(o.amount) AS value
  FROM shop.days d
  JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) = DATE_TRUNC('month', d.day)
  GROUP BY d.day
)
SELECT COALESCE(revenue.day, at_start.day), revenue.value - at_start.value
FROM revenue FULL JOIN at_start ON revenue.day = at_start.day;
-- after:
SELECT
  branches.metric_time__day AS metric_time__day,
  MAX(branches.revenue) - MAX(branches.revenue_2) AS revenue_since_month_start
FROM (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS metric_time__day,
    SUM(orders.amount) AS revenue,
    NULL AS revenue_2
  FROM shop.orders AS orders
  GROUP BY
    1
  UNION ALL
  SELECT
    DATE_TRUNC('DAY', spine.day) AS metric_time__day,
    NULL AS revenue,
    earlier.revenue_2 AS revenue_2
  FROM shop.days AS spine
  INNER JOIN (
    SELECT
      DATE_TRUNC('DAY', orders.ordered_at) AS moment,
      SUM(orders.amount) AS revenue_2
    FROM shop.orders AS orders
    GROUP BY
      1
  ) AS earlier
    ON earlier.moment = DATE_TRUNC('MONTH', spine.day)
) AS branches
GROUP BY
  1;

-- title: an offset by periods of a custom grain; of the last season no day is shown
-- request: {"metrics": ["revenue_last_season"], "group_by": ["metric_time__day"]}
-- holds: {"scans": {"orders": 1, "days": 2}}
-- before:
WITH numbered AS (SELECT day, season, ROW_NUMBER() OVER (PARTITION BY season ORDER BY day) AS place FROM shop.days),
seasons AS (
  SELECT season, LEAD(season) OVER (ORDER BY season) AS later FROM (SELECT DISTINCT season FROM shop.days) s
)
SELECT shown.day, SUM(o.amount)
FROM shop.orders o
JOIN numbered source ON DATE_TRUNC('day', o.ordered_at) = source.day
JOIN seasons ON source.season = seasons.season
LEFT JOIN numbered shown ON shown.season = seasons.later AND shown.place = source.place
GROUP BY shown.day;
-- after:
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

-- title: what a filter keeps apart besides the time is put together again
-- request: {"metrics": ["revenue 1 month ago", "buyers 1 month ago"], "group_by": ["metric_time__month"], "where": ["{{ TimeDimension('metric_time', 'month') }} < '2024-02-01' OR {{ Dimension('order__quantity') }} > 1"]}
-- holds: {"scans": {"orders": 1, "days": 1}, "row_by_row": ["earlier"]}
-- before:
SELECT m.month, SUM(o.amount), COUNT(DISTINCT o.customer_id)
FROM (SELECT DISTINCT DATE_TRUNC('month', day) AS month FROM shop.days) m
JOIN shop.orders o ON DATE_TRUNC('month', o.ordered_at) = m.month - INTERVAL 1 MONTH
WHERE m.month < '2024-02-01' OR o.quantity > 1
GROUP BY m.month;
-- after:
SELECT
  spine.moment AS metric_time__month,
  SUM(earlier.revenue) AS revenue__1_month_ago,
  COUNT(DISTINCT earlier.buyers) AS buyers__1_month_ago
FROM (
  SELECT DISTINCT
    DATE_TRUNC('MONTH', days.day) AS moment
  FROM shop.days AS days
) AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('MONTH', orders.ordered_at) AS moment,
    orders.quantity AS filter__order__quantity,
    orders.amount AS revenue,
    orders.customer_id AS buyers
  FROM shop.orders AS orders
) AS earlier
  ON earlier.moment = spine.moment - INTERVAL 1 MONTH
WHERE
  spine.moment < '2024-02-01' OR earlier.filter__order__quantity > 1
GROUP BY
  1;

-- title: so it is for a running total
-- request: {"metrics": ["revenue_to_date 1 month ago"], "group_by": ["metric_time__day"], "where": ["{{ TimeDimension('metric_time', 'day') }} < '2024-02-03' OR {{ Dimension('order__quantity') }} > 1"]}
-- holds: {"scans": {"orders": 1, "days": 2}}
-- before:
SELECT d.day, SUM(o.amount)
FROM shop.days d
JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) <= d.day - INTERVAL 1 MONTH
WHERE d.day < '2024-02-03' OR o.quantity > 1
GROUP BY d.day;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  SUM(earlier.revenue_to_date__sum) AS revenue_to_date__1_month_ago
FROM shop.days AS spine
INNER JOIN (
  SELECT
    spine.day AS moment,
    daily.filter__order__quantity AS filter__order__quantity,
    SUM(daily.revenue_to_date__sum) AS revenue_to_date__sum
  FROM shop.days AS spine
  INNER JOIN (
    SELECT
      DATE_TRUNC('DAY', orders.ordered_at) AS moment,
      orders.quantity AS filter__order__quantity,
      SUM(orders.amount) AS revenue_to_date__sum
    FROM shop.orders AS orders
    GROUP BY
      1,
      2
  ) AS daily
    ON daily.moment <= spine.day
  GROUP BY
    1,
    2
) AS earlier
  ON earlier.moment = spine.day - INTERVAL 1 MONTH
WHERE
  spine.day < CAST('2024-02-03' AS TIMESTAMP)
  OR earlier.filter__order__quantity > 1
GROUP BY
  1;
