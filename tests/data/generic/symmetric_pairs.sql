{#
  Of a column of scores, or of a model that scores the rows: pairs that should have one score differ by more than `within`.

  pair: the columns that the two rows of a pair have in common. Or change and predict: a row and the same with inputs changed, such as
  swapped; or second: a column of second scores. max_share: of the pairs that may do otherwise. min_rows: how many pairs there have
  to be.
#}
{% test symmetric_pairs(
    model, within, column_name=none, predict=none, pair=none, change=none, second=none, max_share=none, min_rows=none
) %}

{{ penstock.of_behaviour('symmetric_pairs', model, {
  'score': column_name, 'predict': predict, 'pair': pair, 'change': change, 'second': second, 'within': within,
  'max_share': max_share, 'min_rows': min_rows,
}) }}

{% endtest %}
