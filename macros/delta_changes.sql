{#
    The rows of the CTE `rows` that an incremental model must merge: all of them at first, later those that are new or not as
    stored. Merging nothing writes no Delta version, so that a build without news leaves the tables' history as it was.
    Rows that the source no longer has are kept.
#}
{% macro delta_changes(rows) -%}
    select * from {{ rows }}
    {%- if is_incremental() %}
    except
    select * from {{ this }}
    {%- endif %}
{%- endmacro %}
