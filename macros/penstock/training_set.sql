{#
  A point-in-time correct training set as SQL: the rows of `spine`, each with the features as known at its own time.

  spine: a relation (a ref). at: its column of prediction times. entities: entity name -> column of the spine.
  features: texts such as 'carrier.on_time_rate over 7 days', 'origin.weather.temperature within 6 hours' or
  'plane.planes.seats', each optionally with `as name`. columns: spine columns to keep, all of them when empty.
  split, sample, balance, negatives: mappings; see docs/splits.md.
#}
{% macro training_set(spine, at, entities, features, columns=[], split=none, sample=none, balance=none, negatives=none) -%}
  {%- if negatives is mapping and negatives.get('candidates') is not none -%}
    {#- a ref is a mapping too, and dbt keeps requests as text -#}
    {%- set drawn = negatives['candidates'] -%}
    {%- if drawn is mapping and 'relation' in drawn -%}
      {%- set drawn = dict(drawn, relation=drawn['relation'] | string) -%}
    {%- else -%}
      {%- set drawn = drawn | string -%}
    {%- endif -%}
    {%- set negatives = dict(negatives, candidates=drawn) -%}
  {%- endif -%}
  {{- return(penstock.ask({
    'kind': 'training_set',
    'spine': spine | string,
    'at': at,
    'entities': entities,
    'features': features,
    'columns': columns,
    'split': split,
    'sample': sample,
    'balance': balance,
    'negatives': negatives,
  })) -}}
{%- endmacro %}
