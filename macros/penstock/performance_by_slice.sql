{#
  The metrics of each value of each column beside those of all rows and of the rest, with adjusted p-values of the gaps:
  `select * from ({{ penstock.performance_by_slice(ref('flight_predictions'), 'p_late', 'is_late', ['carrier', 'origin']) }})`.

  relation, score, label, by, weight, threshold, numbers: as in `penstock.performance`. slices: columns. min_rows: slices of
  fewer rows are shown and not judged.
#}
{% macro performance_by_slice(
    relation, score, label, slices, min_rows=none, by=[], weight=none, threshold=none, numbers=none
) -%}
  {{- return(penstock.of_performance('slices', relation, {
    'score': score, 'label': label, 'slices': slices, 'min_rows': min_rows, 'by': by, 'weight': weight,
    'threshold': threshold, 'numbers': numbers,
  })) -}}
{%- endmacro %}
