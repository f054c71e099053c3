{{ config(materialized='table') }}

with

flights as (

    select * from {{ ref('arrival_delay_training') }}

),

final as (

    select

        ----------  ids
        flight_id,
        carrier,
        origin,
        dest,

        ---------- timestamps
        predict_at,

        ---------- prediction, and what came true
        {{ penstock.predict('arrival_delay', 'flights.*') }} as p_late,
        is_late

    from flights

)

select * from final
