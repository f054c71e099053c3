{#
  Random directions, by which an embedding becomes a few numbers; as a table, which stays what it is:

    {{ config(materialized='table') }}
    {{ penstock.projection(dimensions=384, into=8) }}

  dimensions: how long an embedding is. into: how many directions. seed: which.
#}
{% macro projection(dimensions, into=8, seed=0) -%}
  {%- if not execute -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {{- return(modules.penstock.projection(dimensions, into, seed, target.type)) -}}
{%- endmacro %}
