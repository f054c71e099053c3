-- All but half a per cent of flights have an observation in the hour of their scheduled departure.
with

flights as (

    select
        flights.flight_id,
        weather.weather_id
    from {{ ref('fct_flights') }} as flights
    left join {{ ref('fct_weather') }} as weather
        on
            flights.origin = weather.origin
            and date_trunc('hour', flights.scheduled_departure_at) = weather.observed_at

)

select
    count(*) as flights,
    count(weather_id) as with_weather
from flights
having with_weather < 0.995 * flights or flights <> count(distinct flight_id)
