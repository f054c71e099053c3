{#
  The score of a model for each row: `select f.*, {{ penstock.predict('arrival_delay', 'f.*') }} as p_late from … as f`.

  model: the registered name, a literal; the dbt model of that name, which trains it, becomes a dependency.
  Each further argument is a column or expression by position, `name => expression`, or one `*` / `t.*`, which takes
  every input from the column of its name.
#}
{% macro predict(model) -%}
  {{- return(penstock.ask({'kind': 'predict', 'model': model, 'arguments': varargs | list})) -}}
{%- endmacro %}
