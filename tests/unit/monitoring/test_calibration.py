"""Calibration on DuckDB, against scikit-learn, statsmodels and scipy."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sqlglot import exp
from statsmodels.stats.proportion import proportion_confint

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.performance.calibration import (
    calibrated_scores,
    calibration,
    calibration_points,
    isotonic_knots,
    knots_sql,
    reliability,
)
from penstock.monitoring.performance.curves import Curve, looked_up
from penstock.monitoring.performance.scores import Scores

CONNECTION = duckdb.connect()


def asked(query: exp.Query) -> list[dict[str, Any]]:
    cursor = CONNECTION.execute(query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def draw(n: int, seed: int, power: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(0, 1, n), 2)
    y = (rng.uniform(size=n) < p**power).astype(float)
    CONNECTION.register("to_calibrate", pa.table({"score": p, "label": y}))
    return p, y


def test_the_reliability_table() -> None:
    p, y = draw(500, 1)
    found = {row["bin"]: row for row in asked(reliability(Scores("to_calibrate"), "duckdb"))}
    bins = np.minimum((p * 10).astype(int), 9)
    assert sorted(found) == sorted(set(bins))
    for b, row in found.items():
        own = bins == b
        low, high = proportion_confint(y[own].sum(), own.sum(), method="wilson")
        wanted = [b, own.sum(), p[own].mean(), y[own].mean(), low, high, (y - p)[own].mean()]
        assert list(row.values()) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_spiegelhalters_test_and_the_calibration_error(power: float) -> None:
    p, y = draw(2000, 2, power)
    [row] = asked(calibration(Scores("to_calibrate"), "duckdb"))
    z = ((y - p) * (1 - 2 * p)).sum() / np.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    assert row["z"] == pytest.approx(z, rel=1e-9)
    assert row["z_p"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = np.array([abs((y - p)[bins == b].sum()) for b in range(10)])
    assert row["ece"] == pytest.approx(gaps.sum() / len(p), rel=1e-9)
    assert (row["ece"] > 0.05) == (power > 1)
    chi2 = sum((y - p)[bins == b].sum() ** 2 / (p * (1 - p))[bins == b].sum() for b in range(10))
    assert (row["chi2"], row["df"]) == (pytest.approx(chi2, rel=1e-9), 10)
    assert row["chi2_p"] == pytest.approx(stats.chi2.sf(chi2, 10), rel=1e-9)
    assert row["p"] == pytest.approx(min(1, 2 * min(row["z_p"], row["chi2_p"])))
    # too high on both sides of ½, which Spiegelhalter's alone does not see
    assert (row["z_p"] > 0.01, row["p"] < 0.001) == (True, power > 1)


def test_scores_that_can_not_be_tested() -> None:
    CONNECTION.execute("CREATE TABLE halves AS SELECT * FROM (VALUES (0.5, 1), (1, 1), (0, 0)) AS t (score, label)")
    none = dict.fromkeys(("z", "z_p", "chi2", "chi2_p", "p"))
    assert asked(calibration(Scores("halves"), "duckdb")) == [{"rows": 3, "ece": 0.5 / 3, "df": 0} | none]
    assert "label" in asked(calibration(Scores("halves", keys=("label",)), "duckdb"))[0]


# ---------------------------------------------------------------- isotonic calibration


def knots_of_rows(bins: int | None) -> list[tuple[float, float]]:
    points = asked(calibration_points(Scores("to_calibrate"), "duckdb", bins=bins))
    return isotonic_knots(*([row[name] for row in points] for name in ("score", "label", "weight")))


def calibrated(knots: list[tuple[float, float]], scores: Any) -> list[float | None]:
    CONNECTION.execute(f"CREATE OR REPLACE TABLE knots AS {knots_sql(knots, 'duckdb')}")
    table = pa.table({"id": np.arange(len(scores)), "score": pa.array(scores, pa.float64())})
    CONNECTION.register("to_look_up", table)
    query = calibrated_scores("to_look_up", Curve("knots"), "duckdb").sql("duckdb")
    return [row[0] for row in CONNECTION.execute(f"SELECT calibrated FROM ({query}) ORDER BY id").fetchall()]


def test_of_each_score_a_bin_it_is_scikit_learns_fit_of_the_rows() -> None:
    p, y = draw(3000, 3, 1.5)
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, y)
    asks = np.r_[np.random.default_rng(4).uniform(-0.1, 1.1, 500), p[:100], fit.X_thresholds_, -1, 2]
    np.testing.assert_allclose(calibrated(knots_of_rows(None), asks), fit.predict(asks), rtol=0, atol=1e-12)


def test_of_bins_it_is_near_to_that() -> None:
    p, y = draw(20_000, 5, 1.5)
    fit = IsotonicRegression(y_min=0, y_max=1).fit(p, y)
    binned = knots_of_rows(200)
    assert len(binned) <= 200
    np.testing.assert_allclose(calibrated(binned, p), fit.predict(p), atol=0.02)
    assert np.abs(np.array(calibrated(binned, p)) - p**1.5).mean() < 0.02 < np.abs(p - p**1.5).mean()


def test_where_there_is_no_score() -> None:
    assert calibrated([(0.2, 0.1), (0.4, 0.3)], [None, float("nan"), 0.0, 0.3, 9]) == [
        None, None, 0.1, pytest.approx(0.2), 0.3,
    ]  # fmt: skip
    assert calibrated([(0.5, 0.7)], [0.1, 0.5, 0.9]) == [0.7] * 3
    CONNECTION.execute("DELETE FROM knots")
    query = calibrated_scores("to_look_up", Curve("knots"), "duckdb").sql("duckdb")
    assert {row[-1] for row in CONNECTION.execute(query).fetchall()} == {None}


# ---------------------------------------------------------------- curves


places = st.lists(st.floats(-5, 5).map(lambda x: round(x, 1)), min_size=1, max_size=40, unique=True)


@settings(max_examples=40, deadline=None)
@given(places, st.lists(st.floats(-6, 6).map(lambda x: round(x, 1)), min_size=1, max_size=10), st.booleans())
def test_curves_are_numpys(xs: list[float], asks: list[float], step: bool) -> None:
    ys = [round(i * 0.37 - 2, 2) for i in range(len(xs))]
    CONNECTION.register("curve_points", pa.table({"x": xs, "y": ys}))
    CONNECTION.register("curve_rows", pa.table({"id": range(len(asks)), "at": asks}))
    query = looked_up(
        "curve_rows", "at", Curve("curve_points"), "duckdb", name="y", between="step" if step else "line"
    ).sql("duckdb")
    found = [row[0] for row in CONNECTION.execute(f"SELECT y FROM ({query}) ORDER BY id").fetchall()]
    order = np.argsort(xs)
    x, y = np.array(xs)[order], np.array(ys)[order]
    wanted = np.r_[0, y][np.searchsorted(x, asks, "right")] if step else np.interp(asks, x, y)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def test_curves_by_keys_and_names_of_users() -> None:
    for table, rows in {
        'by_key ("Of it", "X", v)': "('a', 0, 1), ('a', 1, 2), ('b', 0, 5)",
        'of_keys ("Of it", points)': "('a', 0.5), ('b', 7), ('c', 1), (NULL, 1)",
    }.items():
        name, _, columns = table.partition(" ")
        CONNECTION.execute(f"CREATE TABLE {name} AS SELECT * FROM (VALUES {rows}) AS t {columns}")
    curve = Curve("by_key", x="X", y="v", by=("Of it",))
    found = asked(looked_up("of_keys", "points", curve, "duckdb", name="it's"))
    assert {row["Of it"]: row["it's"] for row in found} == {"a": 1.5, "b": 5, "c": None, None: None}
    assert list(found[0]) == ["Of it", "points", "it's"]


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidRequestError, match="the key 'bin' has the name"):
        reliability(Scores("t", keys=("bin",)), "spark")
    with pytest.raises(InvalidRequestError, match="labels that are a probability"):
        calibration(Scores("t", label_is="probability"), "spark")
    with pytest.raises(InvalidRequestError, match="nothing to calibrate by"):
        isotonic_knots([], [], [])
    with pytest.raises(UnknownNameError, match="dialect 'postgres'"):
        looked_up("t", "x", Curve("c"), "postgres", name="y")  # type: ignore[arg-type]
