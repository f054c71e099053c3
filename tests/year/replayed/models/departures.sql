{#- The flights as they leave, with what was known of each two hours before; what came of it is told up to ten days late. -#}
select
    * except (departure_date, loaded_at, tailnum, route_id),
    label_known_at + make_dt_interval(pmod(hash(flight_id), 10)) as told_at
from {{ source('demo', 'arrival_delay_training') }}
where predict_at < timestamp'{{ env_var("REPLAYED_UNTIL") }}'
