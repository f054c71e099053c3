{#
  A metric request as SQL: `select * from ({{ penstock.metrics(['on_time_rate'], group_by=['carrier', 'metric_time__month']) }})`.

  metrics: names of metrics. group_by: names of dimensions or entities, time ones with their grain.
  where: filters in the template language, each a text. order_by: names, `-name` for descending. limit: a number of rows.
#}
{% macro metrics(metrics, group_by=[], where=[], order_by=[], limit=none) -%}
  {{- return(penstock.ask({
    'kind': 'metrics',
    'metrics': metrics,
    'group_by': group_by,
    'where': where,
    'order_by': order_by,
    'limit': limit,
  })) -}}
{%- endmacro %}
