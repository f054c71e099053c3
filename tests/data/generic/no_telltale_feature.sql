{#
  The features of a training set that tell its label by themselves: a number that sorts the rows by a label of 0 and 1 (area
  under the ROC curve), or goes with a numeric label (correlation), or a text that stands for one label.

  label: its column. leave_out: columns that are no features. threshold: from which area, correlation or share on.
#}
{% test no_telltale_feature(model, label, leave_out=none, threshold=0.95) %}

{%- if execute and penstock.is_built(model) -%}
  {{ modules.penstock.tested_model(ref, graph).telltales(model, adapter.get_columns_in_relation(model), label, leave_out, threshold) }}
{%- else -%}
  select 1 as nothing where false
{%- endif -%}

{% endtest %}
