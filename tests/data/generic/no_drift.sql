{#
  Of a model of `penstock.drift`: features that have drifted, where, and how far. A drift is one that chance does not explain
  (the adjusted p-value is at most `alpha`) and that matters (`effect`, a distance, is above `min_effect`).

  features: the features that are looked at, all if none are named. segments: the segments, such as ['all'] or ['all', 'origin'].
  window: `latest`, the window that ended last, or a length of time such as '30 days' before that in which windows ended.
#}
{% test no_drift(
    model, features=none, segments=none, alpha=0.01, effect='js', min_effect=0.1, p='p_adjusted', window='latest'
) %}

select
    window_end, segment, value, feature, '{{ effect }}' as effect, {{ effect }} as size, {{ p }} as p,
    reference_rows, current_rows

from {{ model }}
where {{ p }} <= {{ alpha }} and {{ effect }} > {{ min_effect }}
{%- if window == 'latest' %}
and window_end = (select max(window_end) from {{ model }})
{%- else %}
and window_end > (select max(window_end) from {{ model }}) - interval '{{ window.split()[0] }}' {{ window.split()[1] }}
{%- endif -%}
{%- for column, values in [('feature', features), ('segment', segments)] if values is not none %}
and {{ column }} in ({% for each in values %}{{ penstock.sql_string(each) }}{{ ', ' if not loop.last }}{% endfor %})
{%- endfor %}

{% endtest %}
