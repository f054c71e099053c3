{#
  A metric request as SQL: `select * from ({{ penstock.metrics(['on_time_rate'], group_by=['carrier', 'metric_time__month']) }})`.

  metrics: names of metrics, maybe with a way to look at them: 'flights over 7 days', 'flights share of total as part'.
  group_by: names of dimensions or entities, time ones with their grain. where: filters in the template language, each a
  text. subtotals: lists of group-by items to keep, `[]` for the grand total. known_at: a moment; only what was known
  before it counts. order_by: names, `-name` for descending. limit: a number of rows.
#}
{% macro metrics(metrics, group_by=[], where=[], order_by=[], limit=none, subtotals=[], known_at=none) -%}
  {{- return(penstock.ask({
    'kind': 'metrics',
    'metrics': metrics,
    'group_by': group_by,
    'where': where,
    'subtotals': subtotals,
    'known_at': known_at,
    'order_by': order_by,
    'limit': limit,
    'saved_query': none,
  })) -}}
{%- endmacro %}
