{#
  The drift of each feature in each window that ends with a bucket: distances from a baseline, p-values, and `p_adjusted` of all
  features and segments of a window.

  tiles, edges: the models of those. baseline: tiles without a time, of the same versions where the tiles have versions.
  window: its length, whole buckets. bucket: that of the tiles. p: the p-value that is adjusted. smoothing: of `psi`.
#}
{% macro drift(tiles, baseline, edges, window='7 days', bucket='day', p='chi2_p', smoothing='jeffreys') -%}
  {%- if penstock.is_asked_early([tiles, baseline, edges]) -%}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set asked = {'window': window, 'bucket': bucket, 'p': p, 'smoothing': smoothing} -%}
  {{- return(modules.penstock.drift(tiles, baseline, edges, asked, run_query)) -}}
{%- endmacro %}
