{#
  The labels of what was predicted, in an incremental model that is merged by the prediction's id. A later run computes those of
  the entities of which something was logged since:

    {{ config(materialized='incremental', incremental_strategy='merge', unique_key='prediction_id') }}
    {{ penstock.labels('late', horizon='1 day', of=[ref('predictions_to_log'), ref('arrivals_to_log')]) }}

  kind: of the feedback. horizon: how old a prediction is when its label is final. window: how long after a prediction an event of
  its entity counts as its own; the horizon unless it is given. model: whose predictions; all unless it is given. of: the models
  that log predictions and feedback, so that they run before. After a change of these arguments, run it with --full-refresh.
#}
{% macro labels(kind, horizon, of, window=none, model=none) -%}
  {%- if not execute -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- if flags.WHICH not in ('build', 'run', 'retry') -%}
    {#- `dbt compile` and `dbt docs generate` write models down before the first build -#}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set built = this | string if is_incremental() else none -%}
  {{- return(modules.penstock.labels(kind, horizon, window, model, built, run_query)) -}}
{%- endmacro %}
