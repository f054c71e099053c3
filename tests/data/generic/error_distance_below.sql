{#
  Of a column of answers or scores, or of a model that scores the rows: its mistakes are too far from what is right, on average.

  label: the column of what came true. at_most: the mean distance that passes. distance: SQL of the distance of a row's answer; or
  distances: a relation of `predicted`, `actual` and `distance`, in which each mistake has to be; without both, that of two numbers.
  threshold: from which score on the answer is 1; without it the score is the answer.
#}
{% test error_distance_below(
    model, label, at_most, column_name=none, predict=none, distance=none, distances=none, threshold=none, min_rows=none
) %}

{{ penstock.of_behaviour('error_distance_below', model, {
  'score': column_name, 'predict': predict, 'label': label, 'at_most': at_most, 'distance': distance, 'distances': distances,
  'threshold': threshold, 'min_rows': min_rows,
}) }}

{% endtest %}
