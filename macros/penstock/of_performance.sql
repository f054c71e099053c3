{#
  One query of performance, as the macros and generic tests ask for it. What reads a table that is not built yet, as
  `dbt compile` may, and what is not executed, is nothing.
#}
{% macro of_performance(asked, relation, arguments) -%}
  {%- do penstock.needs_package() -%}
  {%- if not execute -%}
    {{- return('') -}}
  {%- endif -%}
  {{- return(modules.penstock.performance(asked, relation | string, arguments, target.type)) -}}
{%- endmacro %}
