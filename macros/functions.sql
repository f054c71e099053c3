{#
    dbt's `functions:` on Spark, which dbt-spark has no macros for (dbt-labs/dbt-adapters#1294).

    SQL functions become permanent Spark SQL functions. Spark has no CREATE FUNCTION … LANGUAGE PYTHON: a Python function is
    registered under the name penstock_py_<name> by the plugin (module dbt_penstock) before any node runs, and what is
    created here is a permanent SQL function around it, so that {{ function('…') }} renders and is traced like any other.
#}

{% macro spark__scalar_function_sql(target_relation) %}
    {{ scalar_function_create_replace_signature_sql(target_relation) }}
    {{ scalar_function_body_sql() }}
{% endmacro %}

{% macro spark__scalar_function_python(target_relation) %}
    {{ scalar_function_create_replace_signature_sql(target_relation) }}
    return penstock_py_{{ model.name }}({{ model.arguments | map(attribute='name') | join(', ') }})
{% endmacro %}

{% macro spark__scalar_function_create_replace_signature_sql(target_relation) %}
    create or replace function {{ target_relation.render() }} ({{ formatted_scalar_function_args_sql() }})
    returns {{ model.returns.data_type }}
    {{ scalar_function_volatility_sql() }}
    {% if model.description -%}
    comment {{ penstock.sql_string(model.description) }}
    {%- endif %}
{% endmacro %}

{% macro spark__formatted_scalar_function_args_sql() %}
    {%- for arg in model.arguments -%}
        {{ arg.name }} {{ arg.data_type }}
        {%- if arg.default_value is not none and arg.default_value is defined %} default {{ arg.default_value }}{% endif %}
        {%- if arg.description %} comment {{ penstock.sql_string(arg.description) }}{% endif %}
        {%- if not loop.last %}, {% endif -%}
    {%- endfor -%}
{% endmacro %}

{% macro spark__scalar_function_body_sql() %}
    return {{ model.compiled_code }}
{% endmacro %}

{% macro spark__scalar_function_volatility_sql() %}
    {%- set volatility = model.config.get('volatility') -%}
    {%- if volatility == 'deterministic' -%} deterministic
    {%- elif volatility in ('stable', 'non-deterministic') -%} not deterministic
    {%- elif volatility is not none -%} {%- do unsupported_volatility_warning(volatility) -%}
    {%- endif -%}
{% endmacro %}

{# `text` as a Spark string literal on one line. #}
{% macro sql_string(text) -%}
    '{{ text.split() | join(" ") | replace("\\", "\\\\") | replace("'", "\\'") }}'
{%- endmacro %}
