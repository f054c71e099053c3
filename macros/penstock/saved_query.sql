{#
  A saved query of the project as SQL. A model of this one line is the table of an export: `{{ penstock.saved_query('carrier_months') }}`.

  name: the saved query. where: more filters. order_by: another order. limit: another number of rows.
#}
{% macro saved_query(name, where=[], order_by=[], limit=none) -%}
  {{- return(penstock.ask({
    'kind': 'metrics',
    'metrics': [],
    'group_by': [],
    'where': where,
    'subtotals': [],
    'known_at': none,
    'order_by': order_by,
    'limit': limit,
    'saved_query': name,
  })) -}}
{%- endmacro %}
