{#
  Of a column of scores, or of a model that scores the rows: small changes that should mean nothing move its answers.

  change: inputs, each with the SQL of what it is changed to; predict: the model. Or, of a column, second: that of the scores of the
  changed rows. within: how far a score may move; without it the answer, by `threshold`, may not be another one. max_share: of the
  changed rows that may do otherwise. min_rows: how many of them there have to be.
#}
{% test stable_under(
    model, column_name=none, predict=none, change=none, second=none, within=none, threshold=none, max_share=none, min_rows=none
) %}

{{ penstock.of_behaviour('stable_under', model, {
  'score': column_name, 'predict': predict, 'change': change, 'second': second, 'within': within, 'threshold': threshold,
  'max_share': max_share, 'min_rows': min_rows,
}) }}

{% endtest %}
