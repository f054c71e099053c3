{#
  Of a point-in-time correct set over logged predictions: the features that are not what models saw, in more than `max_rate` of the
  rows (train/serve skew). The set has prediction_id and at, and the features by their names.

  feature_set: what was logged, `ml.features_<feature_set>`. without: features of it that are not compared. Its rows tell of each such
  feature how many rows were compared, how many differ, and a prediction_id; without a feature, how many predictions nobody saw.
#}
{% test same_as_seen(model, feature_set, max_rate=0, without=[]) %}

{%- if execute and penstock.is_built(model) -%}
  {%- set columns = adapter.get_columns_in_relation(model) | map(attribute='name') | list -%}
  {{ modules.penstock.skewed(model | string, columns, feature_set, without, max_rate, run_query) }}
{%- else -%}
  select 1 as nothing where false
{%- endif -%}

{% endtest %}
