{#
  One check of behaviour, as the generic tests ask for it. `predict` names a model, which is an edge of the DAG then. What reads a
  table that is not built yet, as `dbt compile` may, and what is not executed, is nothing.
#}
{% macro of_behaviour(kind, relation, arguments) -%}
  {%- if arguments['predict'] -%}
    {%- do penstock.predict(arguments['predict'], '*') -%}
  {%- endif -%}
  {%- if 'penstock' not in modules -%}
    {%- do exceptions.raise_compiler_error(
      "Penstock's Python package is not in this environment, so its macros have no compiler. Fix: pip install penstock"
    ) -%}
  {%- endif -%}
  {%- if not execute -%}
    {{- return('') -}}
  {%- endif -%}
  {{- return(modules.penstock.behaviour(kind, relation, arguments, target.type)) -}}
{%- endmacro %}
