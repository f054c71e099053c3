{#
    `materialized='metric_view'`: one of Spark's metric views; the model's body is the view's YAML, by `penstock.metric_view` or by
    hand.

    Spark 4.2 replaces no metric view (CREATE OR REPLACE says that it exists), so that a new one is made beside the old and then
    takes its place: a definition that Spark refuses leaves the old view as it was. It is made anew in each build, for Spark keeps
    the types of its columns, and a query fails when those of the tables under it have changed.
#}
{% materialization metric_view, adapter='spark' %}
    {%- if config.get('contract').enforced -%}
        {%- do exceptions.raise_compiler_error("A metric view has no contract: its columns are those of its YAML.") -%}
    {%- endif -%}
    {%- set view = this.incorporate(type='view') -%}
    {%- set made = view.incorporate(path={'identifier': view.identifier ~ '__dbt_tmp'}) -%}

    {{ run_hooks(pre_hooks) }}

    {%- do adapter.drop_relation(made) -%}
    {% call statement('main') -%}
        {{ penstock.create_metric_view(made, sql) }}
    {%- endcall %}
    {%- set old = load_cached_relation(this) -%}
    {%- if old is not none -%}
        {%- do adapter.drop_relation(old) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(made, view) -%}
    {%- do apply_grants(view, config.get('grants'), should_revoke=False) -%}

    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [view]}) }}
{% endmaterialization %}

{# The statement. Comments are those of the model's .yml, and for columns that it doesn't describe those of the semantic layer. #}
{% macro create_metric_view(relation, definition) %}
    {%- set parsed = fromyaml(definition) -%}
    {%- if parsed is not mapping -%}
        {%- do exceptions.raise_compiler_error("The body of a metric view is YAML: {{ penstock.metric_view('…') }}") -%}
    {%- endif -%}
    {%- set described = {} -%}
    {%- if config.persist_column_docs() -%}
        {%- do described.update(modules.penstock.metric_view_comments(model.config.meta, graph)) -%}
        {%- for column in model.columns.values() if column.description -%}
            {%- do described.update({column.name: column.description}) -%}
        {%- endfor -%}
    {%- endif -%}
    create view {{ relation }} (
    {%- for column in (parsed.dimensions or []) + (parsed.measures or []) %}
        {{ adapter.quote(column.name) }}
        {%- if described.get(column.name) %} comment {{ penstock.sql_string(described[column.name]) }}{% endif -%}
        {%- if not loop.last %},{% endif -%}
    {%- endfor %}
    )
    {%- if config.persist_relation_docs() and model.description %}
    comment {{ penstock.sql_string(model.description) }}
    {%- endif %}
    with metrics language yaml as $$
{{ definition }}
$$
{% endmacro %}
