"""What another model predicted, as of each row's time: its table is one like any other."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from penstock.manifest.model import Dimension, Entity, Relation, SemanticManifest, SemanticModel
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

PREDICTIONS = SemanticModel(
    "predictions",
    Relation("predictions", "predictions", ""),
    entities=(Entity("prediction", "primary", "id"), Entity("flight", "foreign", "flight")),
    dimensions=(Dimension("departs_at", "time", "departs_at", grain="second"),),
    time_dimension="departs_at",
    meta={"penstock": {"known_at": "scored_at", "version_of": "flight", "tie_break": "id"}},
)


@pytest.mark.parametrize(
    ("asked", "probability", "version"),
    [
        ("08:00", None, None),  # nothing is scored yet
        ("10:30", None, None),  # scored, for a departure that is not there yet
        ("12:00:01", 0.2, "v1"),
        ("12:59", 0.2, "v1"),
        ("13:00", 0.2, "v1"),  # at the very instant of the second score
        ("13:01", 0.7, "v2"),
        ("16:00", None, "v3"),  # a model that failed says NULL, and that is what was predicted
    ],
)
def test_the_newest_prediction_that_was_there(asked: str, probability: Any, version: Any) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE predictions (id INT, flight INT, departs_at TIMESTAMP, scored_at TIMESTAMP, "
                       "probability DOUBLE, version TEXT)")  # fmt: skip
    for row in (
        (1, 7, "12:00", "09:00", 0.2, "v1"),
        (2, 7, "12:00", "13:00", 0.7, "v2"),
        (3, 7, "12:00", "15:00", None, "v3"),
        (4, 8, "12:00", "09:30", 0.9, "v1"),
    ):
        values = (*row[:2], f"2026-01-01 {row[2]}", f"2026-01-01 {row[3]}", *row[4:])
        connection.execute("INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?)", values)
    connection.execute(f"CREATE TABLE labels AS SELECT 7 AS flight, TIMESTAMP '2026-01-01 {asked}' AS at")
    request = TrainingSetRequest(
        Spine("labels", at="at", entities={"flight": "flight"}),
        ("flight.predictions.probability", "flight.predictions.version"),
    )
    sql = compile_training_set(SemanticManifest({"predictions": PREDICTIONS}, {}), request, "duckdb").sql
    assert connection.execute(sql).fetchall()[0][-2:] == (probability, version)
