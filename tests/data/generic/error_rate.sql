{#
  Of a column of errors: more than `max_rate` of the rows have one. `group_by`: columns within whose values the rate is looked at.
  The test fails with the number of rows with an error, and its rows are the groups, each with its counts and its rate.
#}
{% test error_rate(model, column_name, max_rate, group_by=[]) %}

{{ config(fail_calc='coalesce(sum(failed), 0)') }}

select
    {% for column in group_by %}{{ column }}, {% endfor -%}
    count({{ column_name }}) as failed,
    count(*) as scored,
    count({{ column_name }}) / count(*) as rate

from {{ model }}
{% if group_by %}group by {{ group_by | join(', ') }}{% endif %}
having count({{ column_name }}) > {{ max_rate }} * count(*)

{% endtest %}
