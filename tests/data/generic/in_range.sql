{# Values of `column_name` outside `min_value` to `max_value`, both ends allowed; NULL passes. #}
{% test in_range(model, column_name, min_value, max_value) %}

select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ min_value }} or {{ column_name }} > {{ max_value }}

{% endtest %}
