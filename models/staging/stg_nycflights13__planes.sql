with

source as (

    select * from {{ source('nycflights13', 'planes') }}

),

renamed as (

    select

        ----------  ids
        tailnum,

        ---------- text
        type as plane_type,
        manufacturer,
        model as plane_model,
        engine as engine_type,

        ---------- numerics
        year as manufactured_year,
        engines,
        seats

    from source

)

select * from renamed
