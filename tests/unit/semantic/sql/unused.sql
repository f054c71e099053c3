-- title: a key that the fact has itself is not looked up in the table that it leads to
-- request: {"metrics": ["revenue"], "group_by": ["customer"]}
-- holds: {"scans": {"orders": 1}}
-- before:
SELECT o.customer_id, SUM(o.amount)
FROM shop.orders o
LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
LEFT JOIN shop.regions r ON c.region_id = r.region_id
GROUP BY o.customer_id;
-- after:
SELECT
  orders.customer_id AS customer,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
GROUP BY
  1;

-- title: nor is one that the table before the last has
-- request: {"metrics": ["revenue"], "group_by": ["customer__region"], "where": ["{{ Entity('customer__region') }} < 3"]}
-- holds: {"scans": {"orders": 1, "customers": 1}}
-- before:
SELECT c.region_id, SUM(o.amount)
FROM shop.orders o
LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
LEFT JOIN shop.regions r ON c.region_id = r.region_id
WHERE c.region_id < 3
GROUP BY c.region_id;
-- after:
SELECT
  customers.region_id AS customer__region,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
LEFT JOIN shop.customers AS customers
  ON orders.customer_id = customers.customer_id
WHERE
  customers.region_id < 3
GROUP BY
  1;

-- title: keys and filters over one path share its joins
-- request: {"metrics": ["revenue", "member_revenue"], "group_by": ["customer__region__region_name"], "where": ["{{ Dimension('customer__name') }} <> 'bob'"]}
-- holds: {"scans": {"orders": 1, "customers": 1, "regions": 1}}
-- before:
WITH rows_of AS (
  SELECT * FROM shop.orders LEFT JOIN shop.customers USING (customer_id) LEFT JOIN shop.regions USING (region_id)
),
revenue AS (SELECT region_name, SUM(amount) AS value FROM rows_of WHERE name <> 'bob' GROUP BY region_name),
members AS (
  SELECT region_name, SUM(amount) AS value FROM rows_of WHERE name <> 'bob' AND is_member GROUP BY region_name
)
SELECT revenue.region_name, revenue.value, members.value
FROM revenue LEFT JOIN members ON revenue.region_name IS NOT DISTINCT FROM members.region_name;
-- after:
SELECT
  regions.region_name AS customer__region__region_name,
  SUM(orders.amount) AS revenue,
  SUM(orders.amount) FILTER(WHERE
    customers.is_member = TRUE) AS member_revenue
FROM shop.orders AS orders
LEFT JOIN (
  shop.customers AS customers
    LEFT JOIN shop.regions AS regions
      ON customers.region_id = regions.region_id
)
  ON orders.customer_id = customers.customer_id
WHERE
  customers.name <> 'bob'
GROUP BY
  1;

-- title: of a running total only its key, its day and its parts are kept
-- request: {"metrics": ["avg_quantity over 7 days"], "group_by": ["metric_time__day", "order__is_gift"], "where": ["{{ Dimension('customer__is_member') }}"]}
-- holds: {"scans": {"orders": 1, "customers": 1, "days": 1}}
-- before:
WITH rows_of AS (
  SELECT o.*, c.name, c.is_member, c.region_id, c.joined_at, r.region_name
  FROM shop.orders o
  LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
  LEFT JOIN shop.regions r ON c.region_id = r.region_id
)
SELECT d.day, o.is_gift, AVG(o.quantity)
FROM shop.days d
JOIN rows_of o
  ON DATE_TRUNC('day', o.ordered_at) <= d.day AND DATE_TRUNC('day', o.ordered_at) > d.day - INTERVAL 7 DAY
WHERE o.is_member
GROUP BY d.day, o.is_gift;
-- after:
SELECT
  DATE_TRUNC('DAY', spine.day) AS metric_time__day,
  daily.order__is_gift AS order__is_gift,
  CAST(SUM(daily.avg_quantity__sum) AS DOUBLE) / NULLIF(SUM(daily.avg_quantity__count), 0) AS avg_quantity__over_7_days
FROM shop.days AS spine
INNER JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS moment,
    orders.is_gift AS order__is_gift,
    SUM(orders.quantity) AS avg_quantity__sum,
    SUM(CASE WHEN NOT orders.quantity IS NULL THEN 1 ELSE 0 END) AS avg_quantity__count
  FROM shop.orders AS orders
  LEFT JOIN shop.customers AS customers
    ON orders.customer_id = customers.customer_id
  WHERE
    customers.is_member
  GROUP BY
    1,
    2
) AS daily
  ON daily.moment <= spine.day AND daily.moment > spine.day - INTERVAL 7 DAY
GROUP BY
  1,
  2;

-- title: a fact of which only one metric is asked for brings no other
-- request: {"metrics": ["refunded"], "group_by": ["metric_time__month"]}
-- holds: {"scans": {"refunds": 1}}
-- before:
SELECT month, refunded
FROM (
  SELECT COALESCE(o.month, r.month) AS month, o.revenue, r.refunded
  FROM (SELECT DATE_TRUNC('month', ordered_at) AS month, SUM(amount) AS revenue FROM shop.orders GROUP BY 1) o
  FULL JOIN (SELECT DATE_TRUNC('month', refunded_at) AS month, SUM(amount) AS refunded FROM shop.refunds GROUP BY 1) r
    ON o.month = r.month
) both_facts
WHERE refunded IS NOT NULL;
-- after:
SELECT
  DATE_TRUNC('MONTH', refunds.refunded_at) AS metric_time__month,
  SUM(refunds.amount) AS refunded
FROM shop.refunds AS refunds
GROUP BY
  1;
