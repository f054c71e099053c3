{#
  A point-in-time correct training set as SQL: the rows of `spine`, each with the features as known at its own time.

  spine: a relation (a ref). at: its column of prediction times. entities: entity name -> column of the spine.
  features: texts such as 'carrier.on_time_rate over 7 days', 'origin.weather.temperature within 6 hours' or
  'plane.planes.seats', each optionally with `as name`. columns: spine columns to keep, all of them when empty.
#}
{% macro training_set(spine, at, entities, features, columns=[]) -%}
  {{- return(penstock.ask({
    'kind': 'training_set',
    'spine': spine | string,
    'at': at,
    'entities': entities,
    'features': features,
    'columns': columns,
  })) -}}
{%- endmacro %}
