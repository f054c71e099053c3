{{ config(materialized='incremental', incremental_strategy='append', tblproperties={'delta.enableChangeDataFeed': 'true'}) }}

select flight_id, predict_at, origin, carrier, distance, departure_hour, origin__weather__temperature_f
from {{ ref('departures') }}
{% if is_incremental() -%}
where predict_at >= timestamp'{{ env_var("REPLAYED_UNTIL") }}' - interval 1 week
    and flight_id not in (select flight_id from {{ this }})
{%- endif %}
