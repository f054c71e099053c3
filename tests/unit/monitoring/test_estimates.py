"""Performance that is estimated without labels, on DuckDB, against numpy row by row as NannyML computes it."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression
from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.calibration import calibration_points, isotonic_knots, knots_sql
from penstock.monitoring.performance.curves import Curve
from penstock.monitoring.performance.estimates import realised_and_estimated
from penstock.monitoring.performance.scores import Scores

CONNECTION = duckdb.connect()
DAYS = 4


def asked(query: exp.Query) -> list[dict[str, Any]]:
    cursor = CONNECTION.execute(query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def world() -> dict[str, np.ndarray]:
    """Rows of a reference and of days after it, of scores that are not calibrated; the last day has no labels."""
    rng = np.random.default_rng(12)
    n = 4_000
    p = np.round(rng.beta(2, 2, n), 3)
    y = (rng.uniform(size=n) < p**1.6).astype(float)
    day = np.repeat(np.arange(DAYS), n // DAYS)
    label = pa.array(np.where(day == DAYS - 1, np.nan, y), from_pandas=True)
    CONNECTION.register("estimated_rows", pa.table({"Day": day, "score": p, "label": label}))
    reference = exp.select("*").from_("estimated_rows").where('"Day" = 0')
    points = asked(calibration_points(Scores(reference), "duckdb", bins=None))
    knots = isotonic_knots(*([row[name] for row in points] for name in ("score", "label", "weight")))
    CONNECTION.execute(f"CREATE OR REPLACE TABLE estimate_knots AS {knots_sql(knots, 'duckdb')}")
    fit = IsotonicRegression(out_of_bounds="clip").fit(p[day == 0], y[day == 0])
    return {"p": p, "y": y, "day": day, "c": fit.predict(p)}


@pytest.fixture(scope="module")
def found(world: dict[str, np.ndarray]) -> dict[tuple[int, str], dict[str, Any]]:
    rows = asked(realised_and_estimated(Scores("estimated_rows", keys=("Day",)), Curve("estimate_knots"), "duckdb"))
    return {(row["Day"], row["metric"]): row for row in rows}


def estimated(p: np.ndarray, c: np.ndarray) -> dict[str, float]:
    """By NannyML's formulas: performance_estimation/confidence_based/metrics.py."""
    h = p >= 0.5
    tp, fp, fn, tn = (c * h).sum(), ((1 - c) * h).sum(), (c * ~h).sum(), ((1 - c) * ~h).sum()
    order = np.argsort(p)[::-1]
    tps, fps = np.r_[0, np.cumsum(c[order])], np.r_[0, np.cumsum(1 - c[order])]
    return {
        "accuracy": (tp + tn) / len(p),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "auc": metrics.auc(fps / fps[-1], tps / tps[-1]),
        "positives": c.mean(),
        "squared_error": (c * (1 - p) ** 2 + (1 - c) * p**2).mean(),
    }


def test_estimates_are_those_of_each_row(world: dict[str, np.ndarray], found: dict[Any, Any]) -> None:
    for day in range(DAYS):
        own = world["day"] == day
        for metric, value in estimated(world["p"][own], world["c"][own]).items():
            row = found[day, metric]
            assert row["estimated"] == pytest.approx(value, rel=1e-9), metric
            assert row["estimated_low"] < row["estimated"] < row["estimated_high"]
            assert row["estimated_rows"] == own.sum()


def test_realised_values_are_beside_them(world: dict[str, np.ndarray], found: dict[Any, Any]) -> None:
    for day in range(DAYS - 1):
        own = world["day"] == day
        p, y = world["p"][own], world["y"][own]
        assert found[day, "auc"]["realised"] == pytest.approx(metrics.roc_auc_score(y, p), rel=1e-9)
        assert found[day, "f1"]["realised"] == pytest.approx(metrics.f1_score(y, p >= 0.5), rel=1e-9)
        assert found[day, "f1"]["realised_rows"] == own.sum()
    last = found[DAYS - 1, "auc"]
    assert [last[f"realised{part}"] for part in ("", "_low", "_high", "_rows")] == [None] * 4
    assert last["estimated"] > 0.5


def test_the_band_holds_what_is_realised() -> None:
    """With the true probabilities as knots, 95 of 100 bands have the realised value in them."""
    rng = np.random.default_rng(3)
    days, n = 150, 300
    p = np.round(rng.beta(2, 2, days * n), 3)
    y = (rng.uniform(size=days * n) < p**1.6).astype(float)
    CONNECTION.register("band_rows", pa.table({"day": np.repeat(np.arange(days), n), "score": p, "label": y}))
    at = np.unique(p)
    CONNECTION.execute(
        f"CREATE OR REPLACE TABLE true_knots AS {knots_sql(list(zip(at, at**1.6, strict=True)), 'duckdb')}"
    )
    rows = asked(realised_and_estimated(Scores("band_rows", keys=("day",)), Curve("true_knots"), "duckdb"))
    for metric in ("accuracy", "precision", "recall", "f1", "auc", "log_loss", "positives"):
        own = [row for row in rows if row["metric"] == metric]
        inside = np.mean([row["estimated_low"] <= row["realised"] <= row["estimated_high"] for row in own])
        assert 0.9 <= inside <= 0.99, metric


def test_it_does_not_see_that_something_else_comes_true_of_the_same(world: dict[str, np.ndarray]) -> None:
    """What the docs say that it is blind to."""
    CONNECTION.register("turned_rows", pa.table({"score": world["p"], "label": 1 - world["y"]}))
    rows = asked(realised_and_estimated(Scores("turned_rows"), Curve("estimate_knots"), "duckdb"))
    auc = next(row for row in rows if row["metric"] == "auc")
    assert auc["realised"] < 0.5 < auc["estimated_low"]


def test_weights_are_of_the_realised_side_alone(world: dict[str, np.ndarray]) -> None:
    weight = 1.0 + (world["p"] > 0.6)
    CONNECTION.register("weighted_rows", pa.table({"score": world["p"], "label": world["y"], "w": weight}))
    rows = asked(realised_and_estimated(Scores("weighted_rows", weight="w"), Curve("estimate_knots"), "duckdb"))
    positives = next(row for row in rows if row["metric"] == "positives")
    assert positives["realised"] == pytest.approx(np.average(world["y"], weights=weight))
    assert positives["estimated"] == pytest.approx(world["c"].mean())


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidRequestError, match="nothing realised in labels that are probabilities"):
        realised_and_estimated(Scores("t", label_is="probability"), Curve("k"), "spark")
    with pytest.raises(InvalidRequestError, match="the key 'Realised_Low' has the name"):
        realised_and_estimated(Scores("t", keys=("Realised_Low",)), Curve("k"), "spark")
