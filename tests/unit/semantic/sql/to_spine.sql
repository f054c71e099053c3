-- title: days without rows
-- request: {"metrics": ["gifts"], "group_by": ["metric_time__day", "customer__is_member"], "where": ["{{ Dimension('customer__is_member') }}"]}
-- holds: {"scans": {"days": 1, "orders": 1, "customers": 1}}
-- before:
SELECT * FROM (
  SELECT d.day, c.is_member, COALESCE(SUM(CASE WHEN o.is_gift THEN 1 ELSE 0 END), 0)
  FROM shop.days d
  LEFT JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) = d.day
  LEFT JOIN shop.customers c ON o.customer_id = c.customer_id
  GROUP BY d.day, c.is_member
) all_days
WHERE is_member;
-- after:
SELECT
  periods.metric_time__day AS metric_time__day,
  found.customer__is_member AS customer__is_member,
  COALESCE(found.gifts, 0) AS gifts
FROM (
  SELECT
    DATE_TRUNC('DAY', spine.day) AS metric_time__day
  FROM shop.days AS spine
) AS periods
LEFT JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS metric_time__day,
    customers.is_member AS customer__is_member,
    SUM(CASE WHEN orders.is_gift THEN 1 ELSE 0 END) AS gifts
  FROM shop.orders AS orders
  LEFT JOIN shop.customers AS customers
    ON orders.customer_id = customers.customer_id
  WHERE
    customers.is_member
  GROUP BY
    1,
    2
) AS found
  ON periods.metric_time__day = found.metric_time__day
WHERE
  found.customer__is_member;

-- title: days without rows, of some time
-- request: {"metrics": ["gifts"], "group_by": ["metric_time__day"], "time_constraint": ["2024-01-30", "2024-02-02"]}
-- holds: {"scans": {"days": 1, "orders": 1}, "bounds": {"orders.ordered_at": [["2024-01-30", "2024-02-03"]], "days.day": [["2024-01-30", "2024-02-03"]]}}
-- before:
SELECT * FROM (
  SELECT d.day, COALESCE(SUM(CASE WHEN o.is_gift THEN 1 END), 0)
  FROM shop.days d
  LEFT JOIN shop.orders o ON DATE_TRUNC('day', o.ordered_at) = d.day
  GROUP BY d.day
) all_days
WHERE day BETWEEN '2024-01-30' AND '2024-02-02';
-- after:
SELECT
  periods.metric_time__day AS metric_time__day,
  COALESCE(found.gifts, 0) AS gifts
FROM (
  SELECT
    DATE_TRUNC('DAY', spine.day) AS metric_time__day
  FROM shop.days AS spine
  WHERE
    spine.day >= CAST('2024-01-30' AS TIMESTAMP)
    AND spine.day < CAST('2024-02-03' AS TIMESTAMP)
) AS periods
LEFT JOIN (
  SELECT
    DATE_TRUNC('DAY', orders.ordered_at) AS metric_time__day,
    SUM(CASE WHEN orders.is_gift THEN 1 ELSE 0 END) AS gifts
  FROM shop.orders AS orders
  WHERE
    orders.ordered_at >= CAST('2024-01-30' AS TIMESTAMP)
    AND orders.ordered_at < CAST('2024-02-03' AS TIMESTAMP)
  GROUP BY
    1
) AS found
  ON periods.metric_time__day = found.metric_time__day;
