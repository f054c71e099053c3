{{ config(materialized='view') }}

with

flights as (

    select * from {{ ref('departures_to_predict') }}
    where predict_at >= timestamp'2013-12-24'

),

final as (

    select
        named_struct('flight_id', flight_id) as entity,
        'late' as kind,
        is_late as value,
        label_known_at as event_at,
        label_known_at as arrived_at,
        'fct_flights' as source
    from flights

)

select * from final
