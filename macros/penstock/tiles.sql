{#
  How many rows of each bucket of time fell into each bin of each feature, in an incremental model that is appended to. A later run
  reads only what came, changed or went since the last one, from Delta's change data feed where the table has it.

    {{ config(materialized='incremental', incremental_strategy='append') }}
    {{ penstock.tiles(ref('predictions'), ref('edges'), time='predicted_at', segments=['country'], version='version') }}

  relation: the table. edges: the model of edges, whose features are counted. time: its column of times; bucket: hour, day, week or
  month. segments: columns by whose values rows are counted, too. version: the column of a model's version.
#}
{% macro tiles(relation, edges, time=none, bucket='day', segments=[], version=none) -%}
  {%- if penstock.is_asked_early([relation, edges]) -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set asked = {'time': time, 'bucket': bucket, 'segments': segments, 'version': version} -%}
  {%- set built = this | string if is_incremental() else none -%}
  {{- return(modules.penstock.tiles(relation, edges, asked, built, run_query)) -}}
{%- endmacro %}
