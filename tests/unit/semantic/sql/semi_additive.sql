-- title: the last balance of each customer in each month
-- request: {"metrics": ["last_balance"], "group_by": ["metric_time__month"]}
-- holds: {"scans": {"balances": 1}}
-- before:
SELECT DATE_TRUNC('month', b.taken_at), SUM(b.balance)
FROM shop.balances b
JOIN (
  SELECT customer_id, MAX(taken_at) AS taken_at FROM shop.balances GROUP BY customer_id, DATE_TRUNC('month', taken_at)
) ends ON b.customer_id = ends.customer_id AND b.taken_at = ends.taken_at
GROUP BY 1;
-- after:
SELECT
  balances_rows.metric_time__month AS metric_time__month,
  SUM(balances_rows.last_balance__value) AS last_balance
FROM (
  SELECT
    DATE_TRUNC('MONTH', balances.taken_at) AS metric_time__month,
    balances.balance AS last_balance__value,
    DATE_TRUNC('DAY', balances.taken_at) AS own__moment,
    MAX(DATE_TRUNC('DAY', balances.taken_at)) OVER (PARTITION BY balances.customer_id, DATE_TRUNC('MONTH', balances.taken_at)) AS picked__moment
  FROM shop.balances AS balances
  WHERE
    NOT balances.customer_id IS NULL
) AS balances_rows
WHERE
  balances_rows.own__moment = balances_rows.picked__moment
GROUP BY
  1;
