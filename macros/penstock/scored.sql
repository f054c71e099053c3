{#
  The scores of a table, in an incremental model that is merged by a key. The first run scores all rows. A later one scores the
  rows that are new, those whose inputs changed, and all when another version is live or the function is declared otherwise:

    {{ config(materialized='incremental', incremental_strategy='merge', unique_key='flight_id') }}
    {{ penstock.scored(ref('flights'), 'arrival_delay_checked') }}

  relation: the table; each input is taken from the column of its name. function: a declared function that returns `version`.
  The key is the model's unique_key. Rows that the table no longer has are kept.
#}
{% macro scored(relation, function) -%}
  {%- if not execute -%}
    {{- return(penstock.ask({'kind': 'predict', 'model': function, 'arguments': ['*']})) -}}
  {%- endif -%}
  {%- set functions = load_relation(api.Relation.create(schema='ml', identifier='functions')) -%}
  {%- if flags.WHICH not in ('build', 'run', 'retry') and (functions is none or load_relation(relation) is none) -%}
    {#- `dbt compile` and `dbt docs generate` write models down before the first build -#}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set built = this | string if is_incremental() else none -%}
  {{- return(modules.penstock.scored(relation, function, config.get('unique_key'), built, run_query)) -}}
{%- endmacro %}
