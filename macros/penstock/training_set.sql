{#
  A point-in-time correct training set as SQL: the rows of `spine`, each with the features as known at its own time.

  spine: a relation (a ref). at: its column of prediction times. entities: entity name -> column of the spine.
  features: texts such as 'carrier.on_time_rate over 7 days', 'origin.weather.temperature within 6 hours' or
  'plane.planes.seats', each optionally with `as name`. columns: spine columns to keep, all of them when empty.

  Without arguments it takes them from the model's YAML, `meta: {penstock: {training_set: …}}`, where spine names a model.
#}
{% macro training_set(spine=none, at=none, entities=none, features=none, columns=[]) -%}
  {%- if spine is none -%}
    {{- return(penstock.training_set_in_yaml()) -}}
  {%- endif -%}
  {{- return(penstock.ask({
    'kind': 'training_set',
    'spine': spine | string if execute or spine is string else none,
    'at': at,
    'entities': entities,
    'features': features,
    'columns': columns,
  })) -}}
{%- endmacro %}

{# The training set that the model's YAML asks for; while dbt parses, its YAML has not been read yet. #}
{% macro training_set_in_yaml() -%}
  {%- if not execute -%}
    {{- return('') -}}
  {%- endif -%}
  {%- set given = config.get('meta', {}).get('penstock', {}).get('training_set') -%}
  {%- if given is none -%}
    {%- do exceptions.raise_compiler_error(
      "penstock.training_set() without arguments takes them from the model's YAML, which has no training set.\n"
      ~ "  fix: config: {meta: {penstock: {training_set: {spine: …, at: …, entities: …, features: …}}}}"
    ) -%}
  {%- endif -%}
  {%- set arguments = dict(given) -%}
  {%- do arguments.update(spine=ref(*(given['spine'] | string).split('.'))) -%}
  {{- return(penstock.training_set(**arguments)) -}}
{%- endmacro %}
