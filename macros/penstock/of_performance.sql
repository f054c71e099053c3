{#
  One query of performance, as the macros and generic tests ask for it. What reads a table that is not built yet, as
  `dbt compile` may, and what is not executed, is nothing.
#}
{% macro of_performance(asked, relation, arguments) -%}
  {%- if 'penstock' not in modules -%}
    {%- do exceptions.raise_compiler_error(
      "Penstock's Python package is not in this environment, so its macros have no compiler. Fix: pip install penstock"
    ) -%}
  {%- endif -%}
  {%- if not execute -%}
    {{- return('') -}}
  {%- endif -%}
  {{- return(modules.penstock.performance(asked, relation, arguments, target.type)) -}}
{%- endmacro %}
