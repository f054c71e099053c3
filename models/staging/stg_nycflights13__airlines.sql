with

source as (

    select * from {{ source('nycflights13', 'airlines') }}

),

renamed as (

    select

        ----------  ids
        carrier,

        ---------- text
        name as carrier_name

    from source

)

select * from renamed
