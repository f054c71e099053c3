{#
  What in the SQL of a model lets the future in, or makes it another one each time: a kind, a place, and the fix.

  spine: what its rows come from: names of common table expressions, aliases or relations. allow: kinds that are meant.
#}
{% test point_in_time_sql(model, spine=none, allow=none) %}

{%- if execute -%}
  {{ modules.penstock.tested_model(ref, graph).findings(spine, allow) }}
{%- else -%}
  select 1 as nothing where false
{%- endif -%}

{% endtest %}
