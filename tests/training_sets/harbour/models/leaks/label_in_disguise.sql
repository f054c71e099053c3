with

spine as (

    select *, case when is_delayed = 1 then 3 else -2 end as minutes_to_spare from {{ ref('sailings') }}

)

select spine.*, f.flag from spine left join {{ ref('ships') }} as f on spine.ship_id = f.ship_id
