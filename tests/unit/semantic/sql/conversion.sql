-- title: each order is credited to one visit
-- request: {"metrics": ["visit_to_order"], "group_by": ["visit__channel"]}
-- holds: {"scans": {"visits": 2, "orders": 1}}
-- before:
WITH ranked AS (
  SELECT
    o.order_id, v.channel,
    ROW_NUMBER() OVER (PARTITION BY o.order_id ORDER BY v.visited_at DESC, v.channel NULLS LAST) AS place
  FROM shop.orders o
  JOIN shop.visits v
    ON o.customer_id = v.customer_id
    AND DATE_TRUNC('day', v.visited_at) <= DATE_TRUNC('day', o.ordered_at)
    AND DATE_TRUNC('day', v.visited_at) > DATE_TRUNC('day', o.ordered_at) - INTERVAL 7 DAY
),
conversions AS (SELECT channel, COUNT(*) AS value FROM ranked WHERE place = 1 GROUP BY channel),
visits AS (SELECT channel, COUNT(*) AS value FROM shop.visits GROUP BY channel)
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
    ) AS base
    INNER JOIN (
      SELECT
        DATE_TRUNC('DAY', orders.ordered_at) AS moment,
        orders.customer_id AS entity,
        SUM(CASE WHEN NOT orders.order_id IS NULL THEN 1 ELSE 0 END) AS value_sum
      FROM shop.orders AS orders
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
  GROUP BY
    1
) AS branches
GROUP BY
  1;

-- title: orders of one customer and day are credited together
-- request: {"metrics": ["visit_to_order", "visits"], "group_by": ["metric_time__month", "customer__is_member"]}
-- holds: {"scans": {"visits": 2, "orders": 1, "customers": 2}}
-- before:
WITH ranked AS (
  SELECT
    o.order_id, v.customer_id, v.visited_at,
    ROW_NUMBER() OVER (PARTITION BY o.order_id ORDER BY v.visited_at DESC) AS place
  FROM shop.orders o
  JOIN shop.visits v
    ON o.customer_id = v.customer_id
    AND v.visited_at <= DATE_TRUNC('day', o.ordered_at)
    AND v.visited_at > DATE_TRUNC('day', o.ordered_at) - INTERVAL 7 DAY
),
conversions AS (
  SELECT DATE_TRUNC('month', r.visited_at) AS month, c.is_member, COUNT(*) AS value
  FROM ranked r LEFT JOIN shop.customers c ON r.customer_id = c.customer_id
  WHERE r.place = 1
  GROUP BY 1, 2
),
visits AS (
  SELECT DATE_TRUNC('month', v.visited_at) AS month, c.is_member, COUNT(*) AS value
  FROM shop.visits v LEFT JOIN shop.customers c ON v.customer_id = c.customer_id
  GROUP BY 1, 2
)
SELECT visits.month, visits.is_member, conversions.value * 1.0 / visits.value, visits.value
FROM visits
LEFT JOIN conversions
  ON visits.month = conversions.month AND visits.is_member IS NOT DISTINCT FROM conversions.is_member;
-- after:
SELECT
  combined.metric_time__month AS metric_time__month,
  combined.customer__is_member AS customer__is_member,
  CAST(combined.order_count AS DOUBLE) / CAST(NULLIF(combined.visits, 0) AS DOUBLE) AS visit_to_order,
  combined.visits AS visits
FROM (
  SELECT
    branches.metric_time__month AS metric_time__month,
    branches.customer__is_member AS customer__is_member,
    MAX(branches.order_count) AS order_count,
    MAX(branches.visits) AS visits
  FROM (
    SELECT
      credited.metric_time__month AS metric_time__month,
      credited.customer__is_member AS customer__is_member,
      SUM(credited.value_sum) AS order_count,
      NULL AS visits
    FROM (
      SELECT
        base.metric_time__month AS metric_time__month,
        base.customer__is_member AS customer__is_member,
        done.value_sum AS value_sum,
        ROW_NUMBER() OVER (
          PARTITION BY done.moment, done.entity
          ORDER BY base.moment DESC, base.metric_time__month, base.customer__is_member
        ) AS place
      FROM (
        SELECT DISTINCT
          DATE_TRUNC('DAY', visits.visited_at) AS moment,
          visits.customer_id AS entity,
          DATE_TRUNC('MONTH', visits.visited_at) AS metric_time__month,
          customers.is_member AS customer__is_member
        FROM shop.visits AS visits
        LEFT JOIN shop.customers AS customers
          ON visits.customer_id = customers.customer_id
      ) AS base
      INNER JOIN (
        SELECT
          DATE_TRUNC('DAY', orders.ordered_at) AS moment,
          orders.customer_id AS entity,
          SUM(CASE WHEN NOT orders.order_id IS NULL THEN 1 ELSE 0 END) AS value_sum
        FROM shop.orders AS orders
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
      1,
      2
    UNION ALL
    SELECT
      DATE_TRUNC('MONTH', visits.visited_at) AS metric_time__month,
      customers.is_member AS customer__is_member,
      NULL AS order_count,
      SUM(1) AS visits
    FROM shop.visits AS visits
    LEFT JOIN shop.customers AS customers
      ON visits.customer_id = customers.customer_id
    GROUP BY
      1,
      2
  ) AS branches
  GROUP BY
    1,
    2
) AS combined;
