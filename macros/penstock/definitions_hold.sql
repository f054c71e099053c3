{#
  A data test of all definitions, in a file of one line under the test paths: `{{ penstock.definitions_hold() }}`.

  It does not compile while a definition names what is not there (columns, dimensions, time axes, metrics), and its rows
  are the keys that are not as unique as they are declared: joins over them would count rows more than once.
#}
{% macro definitions_hold() -%}
  {{- return(penstock.ask({'kind': 'definitions'})) -}}
{%- endmacro %}
