{#
  The bins of features, chosen once from a baseline such as a training set, for a model with `materialized='table'`. A later build
  keeps them; `--full-refresh`, and other arguments, choose them anew.

  relation: the baseline, a Delta table. features: its columns, all numbers and texts if none are named, but for those to leave_out.
  bins: of about equally many rows, of a number. values: a number with so many different values at most has a bin for each.
  levels: how many of its values a text has bins for.
#}
{% macro edges(relation, features=none, leave_out=[], bins=20, values=100, levels=50) -%}
  {%- if penstock.is_asked_early([relation]) -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set asked = {'features': features, 'leave_out': leave_out, 'bins': bins, 'values': values, 'levels': levels} -%}
  {%- set built = this | string if load_relation(this) is not none and not should_full_refresh() else none -%}
  {{- return(modules.penstock.edges(relation, adapter.get_columns_in_relation(relation), asked, built, run_query)) -}}
{%- endmacro %}
