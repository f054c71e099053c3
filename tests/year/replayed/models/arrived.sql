{{ config(materialized='table') }}

{#- What a version is trained on: the flights of the last ten weeks whose labels are here. -#}
select * except (label_known_at, told_at)
from {{ ref('departures') }}
where told_at < timestamp'{{ env_var("REPLAYED_UNTIL") }}'
    and predict_at >= timestamp'{{ env_var("REPLAYED_UNTIL") }}' - interval 10 weeks
