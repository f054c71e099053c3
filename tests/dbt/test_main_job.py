"""The main job end to end: one plain `dbt build`, then every number against something that shares no code with us."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.metricflow_sql import MetricFlow
from penstock.demo.build import build, changed_selection, remember_build
from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.semantic import MetricRequest

if TYPE_CHECKING:
    from penstock.project import Project

pytestmark = pytest.mark.usefixtures("flights")


def sorted_rows(table: pa.Table) -> pd.DataFrame:
    frame = without_zones(table).to_pandas().fillna(np.nan).convert_dtypes()
    return frame.sort_values(list(frame.columns), ignore_index=True)


def assert_same_rows(ours: pa.Table, theirs: pa.Table) -> None:
    """Equal columns and rows, each in any order, doubles within 1e-9 relative."""
    assert set(ours.column_names) == set(theirs.column_names)
    assert ours.num_rows > 0
    theirs = theirs.select(ours.column_names)  # MetricFlow has its own order of columns
    pd.testing.assert_frame_equal(sorted_rows(ours), sorted_rows(theirs), check_dtype=False, rtol=1e-9)


# ---------------------------------------------------------------- metrics


HAND_WRITTEN = {
    (("on_time_rate", "avg_arrival_delay"), ("carrier", "metric_time__month")): """
        SELECT carrier, date_trunc('month', scheduled_departure_at) AS metric_time__month,
               count_if(arrival_delay <= 15) / count(arrival_delay) AS on_time_rate,
               avg(arrival_delay) AS avg_arrival_delay
        FROM fct_flights GROUP BY ALL""",
    (("cancelled_rate", "flights"), ("origin__airport_name",)): """
        SELECT a.airport_name AS origin__airport_name, count_if(f.departed_at IS NULL) / count(*) AS cancelled_rate,
               count(*) AS flights
        FROM fct_flights f JOIN dim_airports a ON a.airport_code = f.origin GROUP BY ALL""",
    (("avg_departure_delay",), ("plane__manufacturer",)): """
        SELECT p.manufacturer AS plane__manufacturer, avg(f.departure_delay) AS avg_departure_delay
        FROM fct_flights f LEFT JOIN dim_planes p USING (tailnum) GROUP BY ALL""",
    (("flights_mom_growth",), ("metric_time__month",)): """
        WITH m AS (SELECT date_trunc('month', scheduled_departure_at) AS t, count(*) AS n FROM fct_flights GROUP BY 1)
        SELECT coalesce(b.t, add_months(a.t, 1)) AS metric_time__month, (b.n - a.n) / a.n AS flights_mom_growth
        FROM m b FULL JOIN m a ON a.t = b.t - INTERVAL 1 MONTH""",
}


@pytest.mark.parametrize("request_", HAND_WRITTEN, ids=lambda r: "+".join(r[0]))
def test_metrics_equal_hand_written_sql(flights: Project, request_: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    metrics, group_by = request_
    assert_same_rows(
        flights.query(MetricRequest(metrics=metrics, group_by=group_by)),
        flights.sql(HAND_WRITTEN[request_]),
    )


DIMENSIONS = ("dim_airports", "dim_carriers", "dim_planes", "dim_routes")
REQUESTS: list[dict[str, Any]] = [
    {"metrics": ("on_time_rate",), "group_by": ("carrier",)},
    {"metrics": ("on_time_rate", "avg_arrival_delay"), "group_by": ("carrier", "metric_time__month")},
    {"metrics": ("flights", "cancelled_rate"), "group_by": ("carrier__carrier_name", "origin__airport_name")},
    {"metrics": ("avg_departure_delay", "on_time_rate"), "group_by": ("plane__engine_type",)},
    {"metrics": ("flights_trailing_7_days",), "group_by": ("metric_time__day",)},
    {"metrics": ("flights_mom_growth",), "group_by": ("metric_time__month",)},
    {"metrics": ("flights",), "group_by": ("route__haul", "flight__departure_weekday")},
    {"metrics": ("avg_temperature", "on_time_rate"), "group_by": ("origin", "metric_time__week")},
    {
        "metrics": ("on_time_rate", "flights"),
        "group_by": ("destination__time_zone",),
        "where": ("{{ Dimension('carrier__carrier_name') }} LIKE 'United%'", "{{ Entity('origin') }} <> 'JFK'"),
    },
    {"metrics": ("flights", "flights_trailing_7_days", "flights_mom_growth"), "group_by": ("metric_time__month",)},
]


@pytest.mark.parametrize("parts", REQUESTS, ids=lambda p: "+".join((*p["metrics"], *p["group_by"])))
def test_metrics_equal_metricflow(flights: Project, copy: duckdb.DuckDBPyConnection, parts: dict[str, Any]) -> None:
    manifest = (flights.folder / "target" / "semantic_manifest.json").read_text()
    theirs = copy.sql(MetricFlow(manifest).sql(parts)).to_arrow_table()
    assert_same_rows(flights.query(MetricRequest(**parts)), theirs)


@pytest.fixture(scope="module")
def copy(flights: Project) -> duckdb.DuckDBPyConnection:
    """The marts in DuckDB, where MetricFlow's trailing windows take a second and not minutes as on Spark."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA penstock")
    for name in ("fct_flights", "fct_weather", "time_spine_daily", "time_spine_hourly", *DIMENSIONS):
        connection.register("arrived", without_zones(flights.sql(f"SELECT * FROM {name}")))
        connection.execute(f"CREATE TABLE penstock.{name} AS FROM arrived")
    return connection


def without_zones(table: pa.Table) -> pa.Table:
    """Spark's timestamps arrive with the session's zone, UTC; MetricFlow's SQL is about plain ones."""
    plain = [f.with_type(pa.timestamp("us")) if pa.types.is_timestamp(f.type) else f for f in table.schema]
    return table.cast(pa.schema(plain))


def test_order_limit_and_as_of(flights: Project) -> None:
    request = MetricRequest(metrics=("flights",), group_by=("carrier",), order_by=("-flights", "carrier"), limit=3)
    rows = flights.query(request).to_pylist()
    assert rows == [
        {"carrier": "UA", "flights": 58665},
        {"carrier": "B6", "flights": 54635},
        {"carrier": "EV", "flights": 54173},
    ]
    assert flights.query(request, as_of={"fct_flights": 0}).to_pylist() == rows
    with pytest.raises(UnknownNameError, match="did you mean: fct_flights"):
        flights.compile(request, as_of={"fct_flight": 0})
    with pytest.raises(PenstockError, match="did you mean: flights"):
        flights.compile(MetricRequest(metrics=("flight",)))


# ---------------------------------------------------------------- the training set


@pytest.fixture(scope="module")
def sample(flights: Project) -> pd.DataFrame:
    """2,000 rows of the training set, spread evenly by the hash of their key."""
    rows = flights.sql("SELECT * FROM arrival_delay_training ORDER BY xxhash64(flight_id) LIMIT 2000")
    return without_zones(rows).to_pandas()


@pytest.fixture(scope="module")
def facts(flights: Project) -> dict[str, pd.DataFrame]:
    names = ("fct_flights", "fct_weather", "dim_planes")
    return {name: without_zones(flights.sql(f"SELECT * FROM {name}")).to_pandas() for name in names}


def trailing(sample: pd.DataFrame, facts: pd.DataFrame, key: str, known: str, days: float, finish: Any) -> list[Any]:
    """For each row, `finish` of the facts of its key that were known before its time and happened in the window."""
    event = facts.scheduled_departure_at.to_numpy()
    entry = np.maximum(event, facts[known].to_numpy())
    window = np.timedelta64(round(days * 86_400), "s")
    places = facts.groupby(key).indices
    values = []
    for key_value, at in zip(sample[key], sample.predict_at.to_numpy(), strict=True):
        mine = places.get(key_value, np.array([], int))
        open_ = mine[(event[mine] >= at - window) & (entry[mine] < at)]
        values.append(finish(facts.iloc[open_]))
    return values


def mean(column: str) -> Any:
    return lambda rows: rows[column].mean() if rows[column].notna().any() else None


def on_time_rate(rows: pd.DataFrame) -> float | None:
    landed = rows.arrival_delay.notna().sum()
    return (rows.arrival_delay <= 15).sum() / landed if landed else None


def cancelled_rate(rows: pd.DataFrame) -> float | None:
    return rows.is_cancelled.sum() / len(rows) if len(rows) else None


WINDOWS = {
    "carrier__avg_departure_delay__6h": ("carrier", "departure_known_at", 0.25, mean("departure_delay")),
    "carrier__avg_arrival_delay__1d": ("carrier", "arrival_known_at", 1, mean("arrival_delay")),
    "carrier__on_time_rate__7d": ("carrier", "arrival_known_at", 7, on_time_rate),
    "origin__avg_departure_delay__6h": ("origin", "departure_known_at", 0.25, mean("departure_delay")),
    "origin__cancelled_rate__3d": ("origin", "departure_known_at", 3, cancelled_rate),
    "origin__on_time_rate__1d": ("origin", "arrival_known_at", 1, on_time_rate),
    "plane__avg_arrival_delay__1d": ("tailnum", "arrival_known_at", 1, mean("arrival_delay")),
}
LATEST = ("temperature_f", "wind_speed_mph", "precipitation_inches", "visibility_miles")
ATTRIBUTES = ("manufactured_year", "seats")
SPINE = {
    "flight_id", "carrier", "tailnum", "origin", "dest", "route_id", "predict_at", "label_known_at", "departure_date",
    "departure_hour", "departure_weekday", "departure_month", "distance", "is_late", "loaded_at",
}  # fmt: skip


@pytest.mark.parametrize("column", WINDOWS)
def test_trailing_windows_equal_brute_force(sample: pd.DataFrame, facts: dict[str, pd.DataFrame], column: str) -> None:
    expected = trailing(sample, facts["fct_flights"], *WINDOWS[column])
    assert sample[column].to_numpy(float) == pytest.approx(np.array(expected, float), rel=1e-9, nan_ok=True)
    assert sample[column].notna().mean() > 0.3
    assert sample[column].nunique() > 100, "is what it counts ever known within its window?"


@pytest.mark.parametrize("column", LATEST)
def test_weather_equals_merge_asof(sample: pd.DataFrame, facts: dict[str, pd.DataFrame], column: str) -> None:
    weather = facts["fct_weather"][["origin", "observed_at", column]].copy()
    # Known an hour after the hour it describes, strictly before the prediction; not older than 6 hours.
    weather["known"] = (weather.observed_at + pd.Timedelta(hours=1)).astype(sample.predict_at.dtype)
    found = pd.merge_asof(
        sample[["flight_id", "origin", "predict_at"]].sort_values("predict_at"),
        weather.sort_values("known"),
        left_on="predict_at", right_on="known", by="origin", allow_exact_matches=False,
    )  # fmt: skip
    found.loc[found.observed_at < found.predict_at - pd.Timedelta(hours=6), column] = np.nan
    expected = sample[["flight_id"]].merge(found, on="flight_id")[column].to_numpy(float)
    ours = sample[f"origin__weather__{column}"].to_numpy(float)
    np.testing.assert_array_equal(ours, expected)
    assert np.isfinite(ours).mean() > 0.9


@pytest.mark.parametrize("column", ATTRIBUTES)
def test_plane_attributes_equal_a_lookup(sample: pd.DataFrame, facts: dict[str, pd.DataFrame], column: str) -> None:
    expected = sample.tailnum.map(facts["dim_planes"].set_index("tailnum")[column])
    np.testing.assert_array_equal(sample[f"plane__planes__{column}"].to_numpy(float), expected.to_numpy(float))


def test_every_column_is_checked_and_every_row_is_there(flights: Project, sample: pd.DataFrame) -> None:
    features = {*WINDOWS, *(f"origin__weather__{c}" for c in LATEST), *(f"plane__planes__{c}" for c in ATTRIBUTES)}
    assert set(sample.columns) == SPINE | features
    counts = flights.sql(
        "SELECT (SELECT count(*) FROM arrival_delay_training) AS ours,"
        " (SELECT count(*) FROM departures_to_predict) AS spine,"
        " (SELECT count(DISTINCT flight_id) FROM arrival_delay_training) AS keys"
    ).to_pylist()[0]
    assert counts["ours"] == counts["spine"] == counts["keys"] == 327_346


# ---------------------------------------------------------------- the model


def test_predictions_equal_scikit_learn(flights: Project) -> None:
    import mlflow

    from penstock.registry import mlflow_store

    mlflow_store.client()
    estimator = mlflow.sklearn.load_model("models:/arrival_delay@champion")
    names = mlflow.models.get_model_info("models:/arrival_delay@champion").signature.inputs.input_names()
    rows = flights.sql(
        f"SELECT p.p_late, {', '.join(f't.{n}' for n in names)} FROM flight_predictions p"
        " JOIN arrival_delay_training t USING (flight_id)"
    ).to_pandas()
    assert len(rows) == 327_346
    inputs = rows[names].apply(lambda c: c if c.dtype == object else c.astype(float))
    np.testing.assert_allclose(rows.p_late, estimator.predict_proba(inputs)[:, 1], rtol=1e-12)


def test_sql_calls_the_model(flights: Project) -> None:
    statement = (
        "SELECT count_if(abs(predict('arrival_delay', t.*) - p.p_late) > 1e-12) AS different, count(*) AS n"
        " FROM arrival_delay_training t JOIN flight_predictions p USING (flight_id) WHERE p.predict_at >= '2013-12-20'"
    )
    [row] = flights.sql(statement).to_pylist()
    assert row["different"] == 0
    assert row["n"] > 5000
    with pytest.raises(InvalidRequestError, match="did you mean: arrival_delay"):
        flights.sql("SELECT predict('arrival_dely', 1)")


def test_the_build_makes_the_functions_that_nodes_declare(flights: Project) -> None:
    call = "predict('arrival_delay_checked', t.*)"
    asked = f"SELECT {call} AS s, predict('arrival_delay', t.*) AS p FROM arrival_delay_training AS t LIMIT 100"
    for row in flights.spark.sql(asked).collect():
        assert (row.s.probability, row.s.version, row.s.error) == (row.p, 1, None)
    synced = {each.name: each for each in flights.sync_functions()}
    made = synced["arrival_delay_checked"]
    assert (made.model, made.alias, made.version) == ("arrival_delay", "champion", 1)
    assert made.returns == "STRUCT<`probability`: DOUBLE, `version`: INT, `error`: STRING>"
    assert made.declared_by == "model.penstock.arrival_delay"


def test_the_model_beats_the_baseline(flights: Project) -> None:
    [row] = flights.sql("SELECT * FROM arrival_delay").to_pylist()
    assert (row["version"], row["training_rows"] + row["held_out_rows"]) == (1, 327_346)
    assert row["auc"] > row["baseline_auc"] + 0.05
    assert row["log_loss"] < row["baseline_log_loss"]


# ---------------------------------------------------------------- functions, lineage, a second build


def test_project_functions(flights: Project) -> None:
    [row] = flights.sql(
        "SELECT great_circle_miles(40.6925, -74.168667, 29.984433, -95.341442) AS miles,"
        " airport_local_time(TIMESTAMP '2013-07-01 12:00:00', 'America/New_York') AS local"
    ).to_pylist()
    assert row["miles"] == pytest.approx(1400, abs=5)
    assert str(row["local"])[:19] == "2013-07-01 08:00:00"


def parents(manifest: dict[str, Any], node: str) -> set[str]:
    return set(manifest["parent_map"][f"model.penstock.{node}"])


def assert_lineage(manifest: dict[str, Any]) -> None:
    assert parents(manifest, "arrival_delay_training") >= {
        "model.penstock.departures_to_predict",
        "model.penstock.fct_flights",
        "model.penstock.fct_weather",
        "model.penstock.dim_planes",
        "metric.penstock.on_time_rate",
    }
    assert parents(manifest, "arrival_delay") == {"model.penstock.arrival_delay_training"}
    assert parents(manifest, "flight_predictions") == {
        "model.penstock.arrival_delay_training",
        "model.penstock.arrival_delay",
    }
    assert parents(manifest, "carrier_months") >= {
        "model.penstock.fct_flights",
        "model.penstock.dim_carriers",
        "metric.penstock.on_time_rate",
    }


def test_lineage_in_every_command(flights: Project) -> None:
    from dbt.cli.main import dbtRunner

    target = flights.folder / "target"
    assert_lineage(json.loads((target / "manifest.json").read_text()))

    done = dbtRunner().invoke(["ls", "--quiet", "--no-write-json", "--select", "+carrier_months", "--output", "name"])
    assert {"dim_carriers", "fct_flights", "carrier_months"} <= set(done.result)

    assert dbtRunner().invoke(["docs", "generate", "--quiet"]).success
    assert_lineage(json.loads((target / "manifest.json").read_text()))
    assert "model.penstock.flight_predictions" in json.loads((target / "catalog.json").read_text())["nodes"]


def test_a_second_build_changes_nothing(flights: Project) -> None:
    def versions() -> dict[str, int]:
        tables = [t.name for t in flights.spark.catalog.listTables() if t.tableType == "MANAGED"]
        return {t: flights.sql(f"DESCRIBE HISTORY {t} LIMIT 1").column("version")[0].as_py() for t in tables}

    remember_build(flights.folder / "target")
    before = versions()
    done = build(*changed_selection())
    assert not done.outcomes, "the demo builds anew though nothing has changed"
    assert versions() == before

    # A build in full trains nothing new, and leaves the facts as they are.
    build("--exclude", "resource_type:test", "resource_type:unit_test")
    after = versions()
    rebuilt = {"arrival_delay_training", "flight_predictions", "carrier_months", "arrival_delay_edges", "flight_drift"}
    assert {t for t in after if after[t] != before[t]} <= rebuilt
    assert flights.sql("SELECT count(*) AS n FROM arrival_delay").to_pylist() == [{"n": 1}]
