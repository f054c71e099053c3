-- A flight lands after it left and was in the air between; nothing is known before it happened.
select
    flight_id,
    scheduled_departure_at,
    departed_at,
    scheduled_arrival_at,
    arrived_at,
    departure_known_at,
    arrival_known_at
from {{ ref('fct_flights') }}
where
    scheduled_arrival_at <= scheduled_departure_at
    or arrived_at < departed_at + air_time * interval '1' minute
    or departure_known_at < coalesce(departed_at, scheduled_departure_at)
    or arrival_known_at < coalesce(arrived_at, scheduled_arrival_at)
    or arrival_known_at < departure_known_at
