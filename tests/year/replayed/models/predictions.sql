{#- The week before, by the version that was live then. -#}
select
    predict_at as at,
    named_struct('flight_id', flight_id) as entity,
    'late' as model,
    score.version,
    'champion' as alias,
    score.probability as prediction
from (
    select *, {{ penstock.predict('late_checked', 'flights.*') }} as score
    from {{ ref('departures') }} as flights
    where predict_at >= timestamp'{{ env_var("REPLAYED_UNTIL") }}' - interval 1 week
)
