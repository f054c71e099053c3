{#
  Whether a model whose SQL depends on tables is written down before they are there: while dbt parses, and by `dbt compile`
  and `dbt docs generate` before the first build.
#}
{% macro is_asked_early(relations) -%}
  {%- if not execute -%}
    {{- return(true) -}}
  {%- endif -%}
  {%- if flags.WHICH not in ('build', 'run', 'retry') -%}
    {%- for relation in relations if load_relation(relation) is none -%}
      {{- return(true) -}}
    {%- endfor -%}
  {%- endif -%}
  {{- return(false) -}}
{%- endmacro %}
