{#
  The values of a training set that change when the future does: at some instants, everything that its inputs know then
  or later is deleted, and altered, and its rows up to that instant have to stay as they are.

  at: its column of times. key: columns that tell its rows apart. spine: what its rows come from and is left as it is: names
  of common table expressions, aliases or relations. cuts: how many instants. inclusive: whether what is known at the very
  time of a row may count. A model that is one `penstock.training_set(…)` says all but the number of cuts itself.
#}
{% test no_leakage(model, at=none, key=none, spine=none, cuts=3, inclusive=none) %}

{%- if execute and penstock.is_built(model) -%}
  {%- set test = modules.penstock.tested_model(ref, graph).no_leakage(at, key, spine, inclusive) -%}
  {%- set inputs = {} -%}
  {%- for input in test.inputs() -%}
    {%- set relation = api.Relation.create(schema=input.schema, identifier=input.identifier) -%}
    {%- do inputs.update({input.name: adapter.get_columns_in_relation(relation)}) -%}
  {%- endfor -%}
  {%- set cuts = run_query(test.cut_times(model, cuts)).columns[0].values() -%}
  {{ test.statement(adapter.get_columns_in_relation(model), inputs, cuts) }}
{%- else -%}
  select 1 as nothing where false
{%- endif -%}

{% endtest %}
