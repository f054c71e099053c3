{#
  How good scores were where labels are known, one row a metric; as a model or in a query:
  `select * from ({{ penstock.performance(ref('flight_predictions'), 'p_late', 'is_late', by=['carrier']) }})`.

  relation: the table. score, label: its columns. by: columns of keys. weight: a column. threshold: from which score on a row
  is predicted to be positive. numbers: whether scores are predicted numbers and not probabilities.
#}
{% macro performance(relation, score, label, by=[], weight=none, threshold=none, numbers=none) -%}
  {{- return(penstock.of_performance('performance', relation, {
    'score': score, 'label': label, 'by': by, 'weight': weight, 'threshold': threshold, 'numbers': numbers,
  })) -}}
{%- endmacro %}
