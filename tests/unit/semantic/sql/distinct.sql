-- title: values of one dimension
-- request: {"group_by": ["customer__region__region_name"], "where": ["{{ Dimension('customer__is_member') }}"]}
-- holds: {"scans": {"customers": 1, "regions": 1}}
-- before:
SELECT r.region_name
FROM shop.customers c LEFT JOIN shop.regions r ON c.region_id = r.region_id
WHERE c.is_member
GROUP BY r.region_name;
-- after:
SELECT DISTINCT
  regions.region_name AS customer__region__region_name
FROM shop.customers AS customers
FULL JOIN shop.regions AS regions
  ON customers.region_id = regions.region_id
WHERE
  customers.is_member;

-- title: the range of metric time
-- request: {"group_by": ["metric_time"], "min_max_only": true}
-- holds: {"scans": {"days": 1}}
-- before:
SELECT MIN(day), MAX(day) FROM shop.days;
-- after:
SELECT
  MIN(found.metric_time__day) AS metric_time__day__min,
  MAX(found.metric_time__day) AS metric_time__day__max
FROM (
  SELECT DISTINCT
    DATE_TRUNC('DAY', metric_time_spine.day) AS metric_time__day
  FROM shop.days AS metric_time_spine
) AS found;

-- title: custom grains are looked up
-- request: {"metrics": ["revenue"], "group_by": ["metric_time__season"]}
-- holds: {"scans": {"orders": 1, "days": 1}}
-- before:
SELECT (SELECT d.season FROM shop.days d WHERE d.day = DATE_TRUNC('day', o.ordered_at)) AS season, SUM(o.amount)
FROM shop.orders o
GROUP BY 1;
-- after:
SELECT
  metric_time__day_spine.season AS metric_time__season,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
LEFT JOIN shop.days AS metric_time__day_spine
  ON DATE_TRUNC('DAY', orders.ordered_at) = metric_time__day_spine.day
GROUP BY
  1;
