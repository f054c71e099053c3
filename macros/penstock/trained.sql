{#
  The versions of a model that is trained as the node's YAML declares it, `meta: {penstock: {train: …}}`, with their evidence:

    {{ penstock.trained() }}

  It is the whole model. When dbt runs it, a version is trained, if none was made of these rows; the table gets its row, once.
#}
{% macro trained() -%}
  {%- do config(materialized='incremental', incremental_strategy='merge', unique_key='version', full_refresh=false) -%}
  {{- return(penstock.ask({'kind': 'trained'})) -}}
{%- endmacro %}
