{{ config(materialized='incremental', unique_key='sailing_id', incremental_strategy='merge') }}

with

sailings as (

    select * from {{ ref('sailings') }}
    {% if is_incremental() -%}
    where sails_at > (select max(sails_at) from {{ this }})
    {%- endif %}

),

visits as (

    select * from {{ ref('visits') }}

),

timeline as (

    select ship_id, sails_at as at, sailing_id, null as tons, 0 as is_event from sailings
    union all
    select ship_id, logged_at as at, null as sailing_id, tons, 1 as is_event from visits

),

newest as (

    select
        sailing_id,
        is_event,
        last_value(tons) ignore nulls over (
            partition by ship_id order by at, is_event, sailing_id
            rows between unbounded preceding and current row
        ) as last_logged_tons

    from timeline

),

lately as (

    select s.sailing_id, sum(v.tons) as tons
    from sailings as s
    inner join visits as v
        on s.ship_id = v.ship_id and v.logged_at < s.sails_at and v.arrived_at >= s.sails_at - interval '3' day
    group by s.sailing_id

)

select s.*, n.last_logged_tons, l.tons, o.owner, f.flag
from sailings as s
left join newest as n on s.sailing_id = n.sailing_id and n.is_event = 0
left join lately as l on s.sailing_id = l.sailing_id
left join {{ ref('owners') }} as o
    on s.ship_id = o.ship_id and o.valid_from < s.sails_at and (o.valid_to >= s.sails_at or o.valid_to is null)
left join {{ ref('ships') }} as f on s.ship_id = f.ship_id
