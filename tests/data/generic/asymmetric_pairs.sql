{#
  Of a column of scores, or of a model that scores the rows: pairs of which the second should have the higher score (or `lower`, by
  expect), by `by` at least, and has not.

  pair: the columns that the two rows of a pair have in common, and first: SQL that is true of its first row. Or change and predict: a
  row and the same with inputs changed; or second: a column of second scores. max_share: of the pairs that may do otherwise.
  min_rows: how many pairs there have to be.
#}
{% test asymmetric_pairs(
    model, column_name=none, predict=none, pair=none, first=none, change=none, second=none, expect=none, by=none, max_share=none,
    min_rows=none
) %}

{{ penstock.of_behaviour('asymmetric_pairs', model, {
  'score': column_name, 'predict': predict, 'pair': pair, 'first': first, 'change': change, 'second': second, 'expect': expect,
  'by': by, 'max_share': max_share, 'min_rows': min_rows,
}) }}

{% endtest %}
