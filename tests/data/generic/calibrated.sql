{#
  Of a column of probabilities: they are not what comes true. The rows are the keys for which that is so.

  label: the column of what came true. max_ece: the greatest expected calibration error that passes. alpha: from which p-value
  down an error is no chance; with many rows any is. by: columns, each of whose values is looked at.
#}
{% test calibrated(model, column_name, label, max_ece=none, alpha=none, by=[]) %}

{{ penstock.of_performance('calibrated', model, {
  'score': column_name, 'label': label, 'max_ece': max_ece, 'alpha': alpha, 'by': by,
}) }}

{% endtest %}
