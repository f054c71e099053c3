"""The newest value against `pandas.merge_asof`, where it applies: rows known when they happen, keys that are there."""

from __future__ import annotations

from random import Random

import duckdb
import pandas as pd
import pytest

from penstock.manifest.model import Dimension, Entity, Relation, SemanticManifest, SemanticModel
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

START = pd.Timestamp("2026-03-01")


def _manifest() -> SemanticManifest:
    readings = SemanticModel(
        "readings",
        Relation("readings", "readings", ""),
        entities=(Entity("thing", "foreign", "thing"), Entity("reading", "primary", "number")),
        dimensions=(Dimension("read_at", "time", "read_at", grain="second"),),
        time_dimension="read_at",
        meta={"penstock": {"delay": "0 seconds"}},
    )
    return SemanticManifest(models={"readings": readings}, metrics={})


def _frames(rng: Random) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and readings by thing, both by time; some at one instant, some values NULL, several of one time."""
    labels = pd.DataFrame(
        [
            {"label_id": i, "thing": rng.choice("abc"), "at": START + pd.Timedelta(seconds=rng.randint(0, 400))}
            for i in range(300)
        ]
    )
    readings = pd.DataFrame(
        [
            {
                "number": i,
                "thing": rng.choice("ab"),
                "read_at": START + pd.Timedelta(seconds=rng.randint(0, 400)),
                "value": None if rng.random() < 0.1 else rng.random(),
            }
            for i in range(200)
        ]
    )
    return labels, readings


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("within", [None, 1, 5, 60])
@pytest.mark.parametrize("seed", range(5))
def test_newest_values_are_those_of_merge_asof(seed: int, within: int | None, inclusive: bool) -> None:
    labels, readings = _frames(Random(seed))
    con = duckdb.connect()
    con.register("labels", labels)
    con.register("readings", readings)
    text = "thing.readings.value" + ("" if within is None else f" within {within} seconds") + " as value"
    request = TrainingSetRequest(Spine("labels", at="at", entities={"thing": "thing"}), (text,), inclusive=inclusive)
    found = con.execute(compile_training_set(_manifest(), request, "duckdb").sql).df().sort_values("label_id")
    # of readings at one time the one of the greatest number comes last, and merge_asof takes that
    wanted = pd.merge_asof(
        labels.sort_values("at"),
        readings.sort_values(["read_at", "number"]),
        left_on="at",
        right_on="read_at",
        by="thing",
        tolerance=None if within is None else pd.Timedelta(seconds=within),
        allow_exact_matches=inclusive,
    ).sort_values("label_id")
    assert len(found) == len(labels)
    assert wanted["value"].notna().any()
    assert wanted["value"].isna().any()
    pd.testing.assert_series_equal(
        found["value"].reset_index(drop=True), wanted["value"].astype("float64").reset_index(drop=True)
    )
