-- title: values of one dimension
-- request: {"group_by": ["customer__region__region_name"], "where": ["{{ Dimension('customer__is_member') }}"]}
SELECT DISTINCT
  regions.region_name AS customer__region__region_name
FROM shop.customers AS customers
FULL JOIN shop.regions AS regions
  ON customers.region_id = regions.region_id
WHERE
  customers.is_member;

-- title: the range of metric time
-- request: {"group_by": ["metric_time"], "min_max_only": true}
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
SELECT
  metric_time__day_spine.season AS metric_time__season,
  SUM(orders.amount) AS revenue
FROM shop.orders AS orders
LEFT JOIN shop.days AS metric_time__day_spine
  ON DATE_TRUNC('DAY', orders.ordered_at) = metric_time__day_spine.day
GROUP BY
  1;
