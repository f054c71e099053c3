{#
  Of a column of labels: of the rows that are as old as the horizon, or older, fewer than `at_least` have one.

  at: the column of the time of each prediction. horizon: how old a prediction is when its label is final, '7 days'.
  at_least: a share. The row of the failure has the counts, the share, and by how much it is short.
#}
{% test labels_mature(model, column_name, at, horizon, at_least=1) %}

{{ penstock.of_performance('labels_mature', model, {
  'label': column_name, 'at': at, 'horizon': horizon, 'at_least': at_least,
}) }}

{% endtest %}
