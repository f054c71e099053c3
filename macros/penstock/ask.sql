{#
  One request to the compiler. While dbt parses, the request goes into the model's meta, from which the plugin adds the
  DAG edges; when dbt compiles, the plugin's compiler turns it into SQL.
#}
{% macro ask(request) -%}
  {%- do penstock.needs_package() -%}
  {%- if execute -%}
    {{- return(modules.penstock.compile(request, graph, model.unique_id if model is defined else none)) -}}
  {%- else -%}
    {%- do config(meta={'penstock.' ~ local_md5(tojson(request)): request}) -%}
    {{- return('') -}}
  {%- endif -%}
{%- endmacro %}
