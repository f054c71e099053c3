{#
  A semantic model as the body of a metric view, for a model with `materialized='metric_view'`:
  `select carrier, measure(on_time_rate) from {{ ref('flights_metrics') }} group by carrier`.

  semantic_model: its name. metrics: the measures, all that a metric view can express when empty.
  dimensions: names of dimensions or entities, time ones with their grain; all that are reached when empty.
#}
{% macro metric_view(semantic_model, metrics=[], dimensions=[]) -%}
  {{- return(penstock.ask({
    'kind': 'metric_view',
    'semantic_model': semantic_model,
    'metrics': metrics,
    'dimensions': dimensions,
  })) -}}
{%- endmacro %}
