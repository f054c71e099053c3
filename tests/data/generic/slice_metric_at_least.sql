{#
  Of a column of scores: the slices, and all rows, of which a metric is below a limit, each with by how much.

  label: the column of what came true. metric: one of which more is better, such as auc. slices: columns, each of whose values
  is one. min_rows: slices of fewer rows pass. by, weight, threshold, numbers: as in `penstock.performance`.
#}
{% test slice_metric_at_least(
    model, column_name, label, metric, slices, at_least, min_rows=100, by=[], weight=none, threshold=none, numbers=none
) %}

{{ penstock.of_performance('slice_metric_at_least', model, {
  'score': column_name, 'label': label, 'metric': metric, 'slices': slices, 'at_least': at_least, 'min_rows': min_rows,
  'by': by, 'weight': weight, 'threshold': threshold, 'numbers': numbers,
}) }}

{% endtest %}
