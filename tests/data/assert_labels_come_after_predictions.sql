-- One row a landed flight, predicted before it left and labelled after it arrived.
select
    spine.flight_id,
    spine.predict_at,
    spine.label_known_at,
    flights.departed_at,
    flights.arrived_at
from {{ ref('fct_flights') }} as flights
full outer join {{ ref('departures_to_predict') }} as spine on flights.flight_id = spine.flight_id
where
    (flights.arrived_at is not null) <> (spine.flight_id is not null)
    or spine.predict_at >= flights.departed_at
    or spine.label_known_at < flights.arrived_at
    or cast(spine.is_late as boolean) <> flights.is_late
