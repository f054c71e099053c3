{#
  Of a column of scores: the slices of which a metric is worse than of their rest by more than a limit, and not by chance.

  label: the column of what came true. metric: any; of `positives` and `mean_score` a gap to either side counts. slices: columns,
  each of whose values is one. min_rows: slices of fewer rows pass. alpha: the adjusted p-value up to which a gap is no chance.
  by, weight, threshold, numbers: as in `penstock.performance`.
#}
{% test slice_gap_at_most(
    model, column_name, label, metric, slices, at_most, min_rows=100, alpha=0.05, by=[], weight=none, threshold=none,
    numbers=none
) %}

{{ penstock.of_performance('slice_gap_at_most', model, {
  'score': column_name, 'label': label, 'metric': metric, 'slices': slices, 'at_most': at_most, 'min_rows': min_rows,
  'alpha': alpha, 'by': by, 'weight': weight, 'threshold': threshold, 'numbers': numbers,
}) }}

{% endtest %}
