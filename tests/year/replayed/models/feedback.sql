select
    named_struct('flight_id', flight_id) as entity,
    'late' as kind,
    is_late as value,
    label_known_at as event_at,
    told_at as arrived_at,
    'tower' as source
from {{ ref('departures') }}
where told_at < timestamp'{{ env_var("REPLAYED_UNTIL") }}'
    and told_at >= timestamp'{{ env_var("REPLAYED_UNTIL") }}' - interval 1 week
