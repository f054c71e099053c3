{#
    Column comments in one statement, and only those that differ: dbt-spark alters one column at a time on every build,
    which is a Delta version for each column although nothing has changed.
#}
{% macro spark__alter_column_comment(relation, column_dict) %}
    {% set stored = {} %}
    {% for row in run_query('describe table ' ~ relation) %}
        {% do stored.update({row[0]: row[2] or ''}) %}
    {% endfor %}

    {% set changes = [] %}
    {% for name, column in column_dict.items() %}
        {% if column.description.split() | join(' ') != stored.get(name, '') %}
            {% do changes.append(adapter.quote(name) ~ ' comment ' ~ penstock.sql_string(column.description)) %}
        {% endif %}
    {% endfor %}

    {% if changes %}
        {% do run_query('alter table ' ~ relation ~ ' alter column ' ~ changes | join(', ')) %}
    {% endif %}
{% endmacro %}
