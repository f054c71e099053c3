-- The airport's clocks at `observed_at` show the published local date and hour, by the Python function and by Spark's own.
select
    weather.weather_id,
    weather.observed_at,
    weather.observed_at_local,
    published.local_date,
    published.local_hour
from {{ ref('fct_weather') }} as weather
inner join {{ ref('stg_nycflights13__weather') }} as published on weather.weather_id = published.weather_id
where
    hour(weather.observed_at_local) <> published.local_hour
    or to_date(weather.observed_at_local) <> published.local_date
    or weather.observed_at_local <> from_utc_timestamp(weather.observed_at, 'America/New_York')
