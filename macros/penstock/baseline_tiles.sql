{#
  The tiles of the training sets of the versions of a model that an alias points to, each as it was when the version was trained:
  what `penstock.drift` compares predictions of that version with. For an incremental model that is appended to.

  training: the model that trains, with a row a version. edges, segments: those of the tiles that are compared.
#}
{% macro baseline_tiles(training, edges, segments=[]) -%}
  {%- if penstock.is_asked_early([training, edges]) -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set built = this | string if is_incremental() else none -%}
  {{- return(modules.penstock.baseline_tiles(training, edges, {'segments': segments}, built, run_query)) -}}
{%- endmacro %}
