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
  {%- if functions is none and flags.WHICH not in ('build', 'run', 'retry') -%}
    {#- `dbt compile` and `dbt docs generate` write models down before the first build -#}
    {{- return('select 1 as nothing where false') -}}
  {%- endif -%}
  {%- set source = load_relation(relation) -%}
  {{- return(modules.penstock.scored(
    relation | string,
    adapter.get_columns_in_relation(relation) | map(attribute='name') | list,
    source is not none and source.is_delta and relation.limit is none,
    function,
    config.get('unique_key'),
    this | string if is_incremental() else none,
    run_query,
  )) -}}
{%- endmacro %}
