{#
  Rows with the places of an embedding along stored directions, `<embedding>_1`, `<embedding>_2`, …, instead of the embedding:

    select * from ({{ penstock.projected(ref('reviews'), 'embedding', ref('review_directions')) }})

  relation: the table. embedding: its column, a list of numbers. directions: the model of `penstock.projection`. into: how many of them.
#}
{% macro projected(relation, embedding, directions, into=8) -%}
  {%- if not execute -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {{- return(modules.penstock.projected(relation, embedding, directions, into, target.type)) -}}
{%- endmacro %}
