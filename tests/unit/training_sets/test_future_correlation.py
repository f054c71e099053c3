"""Columns over the window after each row are told, and those that are what they claim to be are not."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from worlds import manifest

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set
from penstock.training_sets.leakage.future_correlation import future_correlation

CLAIM = "thing.total over 1 hour"


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    """Events every minute, known up to half an hour later, and rows with what an honest and a leaky column hold."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2026-01-01")
    events = pd.DataFrame({"id": range(3000), "thing": [f"t{i % 3}" for i in range(3000)]})
    events["happened_at"] = start + pd.to_timedelta(np.arange(3000), unit="min")
    events["known_at"] = events["happened_at"] + pd.to_timedelta(rng.integers(0, 30, 3000), unit="min")
    events["n"] = rng.integers(0, 100, 3000)
    labels = pd.DataFrame({"label_id": range(800), "thing": [f"t{i % 3}" for i in range(800)]})
    labels["at"] = start + pd.to_timedelta(120 + rng.integers(0, 2700, 800), unit="min")
    connection = duckdb.connect()
    for name, frame in (("events", events), ("labels", labels)):
        connection.register("given", frame)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    request = TrainingSetRequest(Spine("labels", at="at", entities={"thing": "thing"}), (f"{CLAIM} as honest",))
    connection.execute(f"CREATE TABLE honest AS {compile_training_set(manifest(), request, 'duckdb').sql}")
    window = (
        "e.thing = h.thing AND e.happened_at >= h.at - INTERVAL {} MINUTE AND e.happened_at < h.at + INTERVAL {} MINUTE"
    )
    sums = ", ".join(
        f"(SELECT sum(n) FROM events AS e WHERE {window.format(before, after)}) AS {name}"
        for name, before, after in (("ahead", 0, 60), ("by_event", 60, 0), ("mostly_ahead", 15, 45))
    )
    connection.execute(f"CREATE TABLE labels_with AS SELECT h.*, 1.0 AS one, {sums} FROM honest AS h")
    return connection


def told(connection: duckdb.DuckDBPyConnection, features: dict[str, str], **more: Any) -> dict[str, Any]:
    columns = [name for name, *_ in connection.execute("DESCRIBE labels_with").fetchall()]
    given: dict[str, Any] = {"at": "at", "entities": {"thing": "thing"}, "columns": columns, **more}
    sql = future_correlation(manifest(), "labels_with", features=features, dialect="duckdb", **given)
    return {row[0]: row[1:] for row in connection.execute(sql).fetchall()}


def test_the_side_of_the_row_is_told(database: duckdb.DuckDBPyConnection) -> None:
    claims = dict.fromkeys(("honest", "ahead", "by_event", "mostly_ahead", "one"), CLAIM)
    found = told(database, claims)
    assert set(found) == {"ahead", "mostly_ahead"}
    frame = database.execute("SELECT honest, ahead FROM labels_with").df().dropna()
    past, future, rows = found["ahead"]
    assert future == pytest.approx(1)
    assert past == pytest.approx(abs(frame["honest"].corr(frame["ahead"])))
    assert rows == len(frame)


def test_windows_of_several_lengths(database: duckdb.DuckDBPyConnection) -> None:
    assert set(told(database, {"ahead": CLAIM, "honest": "thing.mean over 30 minutes"})) == {"ahead"}


def test_the_margin(database: duckdb.DuckDBPyConnection) -> None:
    assert told(database, {"ahead": CLAIM}, margin=1) == {}


def test_mistakes_are_named(database: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UnknownNameError, match="unknown column 'aheda'"):
        told(database, {"aheda": CLAIM})
    with pytest.raises(UnknownNameError, match="unknown column 'when'"):
        told(database, {"ahead": CLAIM}, at="when")
    with pytest.raises(InvalidRequestError, match="only a metric over a window"):
        told(database, {"ahead": "thing.total to date"})
    with pytest.raises(InvalidRequestError, match="no column is named"):
        told(database, {})
