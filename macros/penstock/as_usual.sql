{#
  What of a table is not as usual; the data test `as_usual` has the arguments. Where nothing is built yet, as `dbt compile` may
  be asked for, it is nothing.
#}
{% macro as_usual(relation, arguments) -%}
  {%- if relation is string -%}
    {%- do exceptions.raise_compiler_error(
      "as_usual looks at the past of a whole table, and this is a part of one\n  where: " ~ relation ~ "\n  fix: leave out where"
    ) -%}
  {%- endif -%}
  {%- if execute and penstock.is_built(relation) -%}
    {%- set columns = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
      {%- do columns.append((column.name, column.dtype)) -%}
    {%- endfor -%}
    {{- return(modules.penstock.as_usual(relation | string, columns, arguments, graph, run_query, target.type)) -}}
  {%- endif -%}
  {{- return('select 1 as nothing where false') -}}
{%- endmacro %}
