{#
  How well each other column tells the protected ones: a row a protected column and feature, for a table that is built.

  relation: the table. protected: columns; those tagged `meta: {penstock: {protected: true}}` in its YAML when empty.
  leave_out: columns that are no features, such as ids. bins: how many bins a number is cut into.
#}
{% macro proxies(relation, protected=[], leave_out=[], bins=none) -%}
  {%- if not execute -%}
    {{- return('') -}}
  {%- endif -%}
  {%- set types = {} -%}
  {%- for column in adapter.get_columns_in_relation(relation) -%}
    {%- do types.update({column.name: column.dtype}) -%}
  {%- endfor -%}
  {{- return(penstock.of_performance('proxies', relation, {
    'protected': protected or modules.penstock.protected_columns(relation, graph),
    'types': types, 'leave_out': leave_out, 'bins': bins,
  })) -}}
{%- endmacro %}
