-- title: each order is credited to one visit
-- request: {"metrics": ["visit_to_order"], "group_by": ["visit__channel"]}
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
