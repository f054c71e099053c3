-- title: two facts meet by UNION ALL
-- request: {"metrics": ["refund_rate", "revenue"], "group_by": ["metric_time__day", "customer__is_member"]}
-- holds: {"scans": {"orders": 1, "refunds": 1, "customers": 2}}
-- before:
WITH refunded AS (
  SELECT DATE_TRUNC('day', r.refunded_at) AS day, c.is_member, SUM(r.amount) AS value
  FROM shop.refunds r LEFT JOIN shop.customers c ON r.customer_id = c.customer_id
  GROUP BY 1, 2
),
revenue AS (
  SELECT DATE_TRUNC('day', o.ordered_at) AS day, c.is_member, SUM(o.amount) AS value
  FROM shop.orders o LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
  GROUP BY 1, 2
)
SELECT
  COALESCE(revenue.day, refunded.day), COALESCE(revenue.is_member, refunded.is_member),
  refunded.value / NULLIF(revenue.value, 0), revenue.value
FROM revenue
FULL JOIN refunded ON revenue.day = refunded.day AND revenue.is_member IS NOT DISTINCT FROM refunded.is_member;
-- after:
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
-- holds: {"scans": {"visits": 1, "orders": 1, "refunds": 1}}
-- before:
WITH visits AS (SELECT customer_id, COUNT(*) AS value FROM shop.visits GROUP BY customer_id),
net AS (
  SELECT COALESCE(o.customer_id, r.customer_id) AS customer_id, COALESCE(o.value - COALESCE(r.value, 0), 0) * 2 AS value
  FROM (SELECT customer_id, SUM(amount) AS value FROM shop.orders GROUP BY customer_id) o
  FULL JOIN (SELECT customer_id, SUM(amount) AS value FROM shop.refunds GROUP BY customer_id) r
    ON o.customer_id IS NOT DISTINCT FROM r.customer_id
)
SELECT COALESCE(visits.customer_id, net.customer_id), visits.value, net.value
FROM visits FULL JOIN net ON visits.customer_id IS NOT DISTINCT FROM net.customer_id;
-- after:
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

-- title: a NULL key of one fact is that of the others
-- request: {"metrics": ["revenue", "refunded", "visits"], "group_by": ["customer__region__region_name"]}
-- holds: {"scans": {"orders": 1, "refunds": 1, "visits": 1, "customers": 3, "regions": 3}}
-- before:
WITH named AS (
  SELECT c.customer_id, r.region_name FROM shop.customers c LEFT JOIN shop.regions r ON c.region_id = r.region_id
),
revenue AS (
  SELECT n.region_name, SUM(o.amount) AS value
  FROM shop.orders o LEFT JOIN named n ON o.customer_id = n.customer_id
  GROUP BY n.region_name
),
refunded AS (
  SELECT n.region_name, SUM(r.amount) AS value
  FROM shop.refunds r LEFT JOIN named n ON r.customer_id = n.customer_id
  GROUP BY n.region_name
),
visits AS (
  SELECT n.region_name, COUNT(*) AS value
  FROM shop.visits v LEFT JOIN named n ON v.customer_id = n.customer_id
  GROUP BY n.region_name
),
two AS (
  SELECT
    COALESCE(revenue.region_name, refunded.region_name) AS region_name, revenue.value AS revenue,
    refunded.value AS refunded
  FROM revenue FULL JOIN refunded ON revenue.region_name IS NOT DISTINCT FROM refunded.region_name
)
SELECT COALESCE(two.region_name, visits.region_name), two.revenue, two.refunded, visits.value
FROM two FULL JOIN visits ON two.region_name IS NOT DISTINCT FROM visits.region_name;
-- after:
SELECT
  branches.customer__region__region_name AS customer__region__region_name,
  MAX(branches.revenue) AS revenue,
  MAX(branches.refunded) AS refunded,
  MAX(branches.visits) AS visits
FROM (
  SELECT
    regions.region_name AS customer__region__region_name,
    SUM(orders.amount) AS revenue,
    NULL AS refunded,
    NULL AS visits
  FROM shop.orders AS orders
  LEFT JOIN (
    shop.customers AS customers
      LEFT JOIN shop.regions AS regions
        ON customers.region_id = regions.region_id
  )
    ON orders.customer_id = customers.customer_id
  GROUP BY
    1
  UNION ALL
  SELECT
    regions.region_name AS customer__region__region_name,
    NULL AS revenue,
    SUM(refunds.amount) AS refunded,
    NULL AS visits
  FROM shop.refunds AS refunds
  LEFT JOIN (
    shop.customers AS customers
      LEFT JOIN shop.regions AS regions
        ON customers.region_id = regions.region_id
  )
    ON refunds.customer_id = customers.customer_id
  GROUP BY
    1
  UNION ALL
  SELECT
    regions.region_name AS customer__region__region_name,
    NULL AS revenue,
    NULL AS refunded,
    SUM(1) AS visits
  FROM shop.visits AS visits
  LEFT JOIN (
    shop.customers AS customers
      LEFT JOIN shop.regions AS regions
        ON customers.region_id = regions.region_id
  )
    ON visits.customer_id = customers.customer_id
  GROUP BY
    1
) AS branches
GROUP BY
  1;

-- title: totals of several facts are one row
-- request: {"metrics": ["revenue", "refunded", "visits", "gifts"]}
-- holds: {"scans": {"orders": 1, "refunds": 1, "visits": 1}}
-- before:
SELECT
  (SELECT SUM(amount) FROM shop.orders), (SELECT SUM(amount) FROM shop.refunds), (SELECT COUNT(*) FROM shop.visits),
  (SELECT COUNT(*) FROM shop.orders WHERE is_gift);
-- after:
SELECT
  MAX(branches.revenue) AS revenue,
  MAX(branches.refunded) AS refunded,
  MAX(branches.visits) AS visits,
  COALESCE(MAX(branches.gifts), 0) AS gifts
FROM (
  SELECT
    SUM(orders.amount) AS revenue,
    SUM(CASE WHEN orders.is_gift THEN 1 ELSE 0 END) AS gifts,
    NULL AS refunded,
    NULL AS visits
  FROM shop.orders AS orders
  UNION ALL
  SELECT
    NULL AS revenue,
    NULL AS gifts,
    SUM(refunds.amount) AS refunded,
    NULL AS visits
  FROM shop.refunds AS refunds
  UNION ALL
  SELECT
    NULL AS revenue,
    NULL AS gifts,
    NULL AS refunded,
    SUM(1) AS visits
  FROM shop.visits AS visits
) AS branches;
