{#
  A data test: the rows of a training set's table are the rows of its spine, in the version that the table was built from.
  Rows that one has more often than the other fail it. Penstock adds it to each model that is a training set and nothing
  else, as `<model>_has_the_rows_of_its_spine`.
#}
{% macro rows_of_spine(relation) -%}
  {%- if execute and load_relation(relation) is not none -%}
    {{- return(modules.penstock.rows_of_spine(relation | string, run_query)) -}}
  {%- else -%}
    {{- return('select * from ' ~ relation) -}}
  {%- endif -%}
{%- endmacro %}
