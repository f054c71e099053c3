{#
  A point-in-time correct training set as SQL: the rows of `spine`, each with the features as known at its own time.

  spine: a relation (a ref). at: its column of prediction times. entities: entity name -> column of the spine,
  or a list of columns.
  features: texts such as 'carrier.on_time_rate over 7 days', 'origin.weather.temperature within 6 hours' or
  'plane.planes.seats', each optionally with `as name`. columns: spine columns to keep, all of them when empty.
  labels: texts such as 'carrier.cancelled_rate over next 1 day settled after 1 day'; labels_until: see docs/labels.md.
  inclusive: count what becomes known at the very time of a row. split, sample, balance, negatives: see docs/splits.md.

  predict: a predictive query in place of at, entities, features and labels, and part ('label' or 'features') of it; spine: the
  relation whose column follows AT. See docs/labels.md.

  Without arguments it takes them from the model's YAML, `meta: {penstock: {training_set: …}}`, where spine names a model.
#}
{% macro training_set(
    spine=none, at=none, entities=none, features=none, columns=[], labels=[], labels_until=none, inclusive=false,
    split=none, sample=none, balance=none, negatives=none, predict=none, part=none
) -%}
  {%- if spine is none and predict is none -%}
    {{- return(penstock.training_set_in_yaml()) -}}
  {%- endif -%}
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
    'spine': spine | string if spine is string or (execute and spine is not none) else none,
    'at': at,
    'entities': entities,
    'features': features,
    'columns': columns,
    'labels': labels,
    'labels_until': labels_until,
    'inclusive': inclusive,
    'split': split,
    'sample': sample,
    'balance': balance,
    'negatives': negatives,
    'predict': predict,
    'part': part,
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
  {%- if given.get('spine') is not none -%}
    {%- do arguments.update(spine=ref(*(given['spine'] | string).split('.'))) -%}
  {%- endif -%}
  {{- return(penstock.training_set(**arguments)) -}}
{%- endmacro %}
