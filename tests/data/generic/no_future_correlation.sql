{#
  The columns of a training set that are nearer to what came after each row than to what was known before it.

  features: for each column, the metric over a window that it claims to be, such as 'carrier.on_time_rate over 7 days'.
  entities: entity name -> column of keys. at: the column of times. margin: by how much the correlation with the window after
  the row has to be the greater one. Of a model that is one `penstock.training_set(…)`, entities and at are known.
#}
{% test no_future_correlation(model, features, entities=none, at=none, margin=0.01) %}

{%- if execute and penstock.is_built(model) -%}
  {%- set columns = adapter.get_columns_in_relation(model) -%}
  {{ modules.penstock.tested_model(ref, graph).future_correlation(model, columns, at, entities, features, margin) }}
{%- else -%}
  select 1 as nothing where false
{%- endif -%}

{% endtest %}
