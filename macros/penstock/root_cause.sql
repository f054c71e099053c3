{#
  When and where features changed, a row for each segment and feature of tiles: `started`, `ended`, `g`, `p`, `p_adjusted`, `bin`,
  and `g_of_all`, by which the segments are ordered that changed when all rows did.

  tiles, edges: the models of those. shape: `split`, a change that stays, or `window`, one that went away. since, until: which
  buckets are looked at, from the first one to before the second, as texts of times; all without them.
#}
{% macro root_cause(tiles, edges, shape='split', since=none, until=none) -%}
  {%- if penstock.is_asked_early([tiles, edges]) -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set asked = {'shape': shape, 'since': since, 'until': until} -%}
  {{- return(modules.penstock.root_cause(tiles, edges, asked, run_query)) -}}
{%- endmacro %}
