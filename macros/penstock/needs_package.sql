{#
  Says what is missing where dbt runs without Penstock's Python package, which has the compiler that the macros call.
#}
{% macro needs_package() -%}
  {%- if 'penstock' not in modules -%}
    {%- do exceptions.raise_compiler_error(
      "Penstock's Python package is not in this environment, so its macros have no compiler. Fix: pip install penstock"
    ) -%}
  {%- endif -%}
{%- endmacro %}
