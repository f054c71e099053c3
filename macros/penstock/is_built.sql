{#
  Whether a test's table is there to be looked at. `dbt compile` and `dbt docs generate` write tests down before the first
  build; where a test is to run, a missing table is its error.
#}
{% macro is_built(relation) -%}
  {{- return(flags.WHICH in ('build', 'test', 'retry') or load_relation(relation) is not none) -}}
{%- endmacro %}
