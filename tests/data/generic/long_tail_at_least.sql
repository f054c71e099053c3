{#
  Of a column of answers or scores, or of a model that scores the rows: over the rows of rare entities it is not good enough.

  label: the column of what came true. entity: the columns of an entity; with fewer rows than rare_below it is rare. metric: accuracy,
  recall or precision; at_least: its value over the rows of rare entities. max_gap: by how much that may be below the value over all
  others. threshold: from which score on the answer is 1; without it the score is the answer.
#}
{% test long_tail_at_least(
    model, label, entity, rare_below, at_least, column_name=none, predict=none, metric=none, max_gap=none, threshold=none,
    min_rows=none
) %}

{{ penstock.of_behaviour('long_tail_at_least', model, {
  'score': column_name, 'predict': predict, 'label': label, 'entity': entity, 'rare_below': rare_below, 'at_least': at_least,
  'metric': metric, 'max_gap': max_gap, 'threshold': threshold, 'min_rows': min_rows,
}) }}

{% endtest %}
