{{ config(materialized='view') }}

{#- The last week alone: the demo shows how, and the whole year would take its time. -#}
with

flights as (

    select * from {{ ref('arrival_delay_training') }}
    where predict_at >= timestamp'2013-12-24'

),

scored as (

    select
        *,
        {{ penstock.predict('arrival_delay_checked', 'flights.*') }} as score
    from flights

),

final as (

    select
        predict_at as at,
        named_struct('flight_id', flight_id) as entity,
        'arrival_delay' as model,
        score.version,
        'champion' as alias,
        score.probability as prediction
    from scored

)

select * from final
