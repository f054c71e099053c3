{#
  One check of behaviour, as the generic tests ask for it. `predict` names a model, which is an edge of the DAG then. What reads a
  table that is not built yet, as `dbt compile` may, and what is not executed, is nothing.
#}
{% macro of_behaviour(kind, relation, arguments) -%}
  {%- if arguments['predict'] -%}
    {%- do penstock.predict(arguments['predict'], '*') -%}
  {%- endif -%}
  {%- do penstock.needs_package() -%}
  {%- if not execute -%}
    {{- return('') -}}
  {%- endif -%}
  {{- return(modules.penstock.behaviour(kind, relation | string, arguments, target.type)) -}}
{%- endmacro %}
