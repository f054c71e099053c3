-- title: days without rows
-- request: {"metrics": ["gifts"], "group_by": ["metric_time__day", "customer__is_member"], "where": ["{{ Dimension('customer__is_member') }}"]}
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
