"""Areas and correlations against scikit-learn and pandas, on random data with ties, NULLs and NaN."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.training_sets.leakage.telltale import telltale_features

AREA, MISSING, CORRELATION = "area under the curve", "area of being missing", "correlation"
ANY = 0.5 + 1e-12


def told(frame: pd.DataFrame, label: str = "y", threshold: float = ANY, **more: Any) -> dict[tuple[str, str], Any]:
    """(strength, rows) by feature and measure."""
    connection = duckdb.connect()
    connection.register("given", frame)
    connection.execute("CREATE TABLE t AS SELECT * FROM given")
    columns = {name: kind for name, kind, *_ in connection.execute("DESCRIBE t").fetchall()}
    sql = telltale_features("t", columns, label=label, threshold=threshold, dialect="duckdb", **more)
    return {(f, m): (s, n) for f, m, s, n in connection.execute(sql).fetchall()}


def either_way(area: float) -> float:
    return max(area, 1 - area)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6), st.integers(4, 60), st.integers(1, 12), st.floats(0, 0.6))
def test_areas_are_those_of_scikit_learn(seed: int, rows: int, ties: int, gone: float) -> None:
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, rng.integers(0, 2, rows - 2)]
    x = rng.integers(-ties, ties, rows) + y * rng.integers(0, 3)
    frame = pd.DataFrame({"y": y, "x": pd.array(x, dtype="Float64")})
    missing = rng.random(rows) < gone
    frame.loc[missing, "x"] = pd.NA
    found = told(frame)
    there = frame["x"].notna()
    if frame["y"][there].nunique() == 2:
        area = either_way(roc_auc_score(frame["y"][there], frame["x"][there].astype(float)))
        if area > ANY:
            assert found["x", AREA] == (pytest.approx(area, abs=1e-12), there.sum())
        else:
            assert ("x", AREA) not in found
    lacks = either_way(roc_auc_score(frame["y"], missing))
    if lacks > ANY:
        assert found["x", MISSING] == (pytest.approx(lacks, abs=1e-12), rows)
    correlation = abs(frame["x"].astype(float).corr(frame["y"].astype(float)))
    if correlation > ANY:
        assert found["x", CORRELATION] == (pytest.approx(correlation, abs=1e-9), there.sum())
    else:
        assert ("x", CORRELATION) not in found


def test_a_numeric_label_has_correlations_only() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=500)
    frame = pd.DataFrame({"y": y, "close": y + rng.normal(size=500) / 10, "far": rng.normal(size=500), "n": -y * 3})
    found = told(frame, threshold=0.95)
    assert {key: s for key, (s, _) in found.items()} == {
        ("close", CORRELATION): pytest.approx(abs(frame["close"].corr(frame["y"]))),
        ("n", CORRELATION): pytest.approx(1),
    }


@pytest.mark.parametrize("label", ["y", "text", "flag"])
def test_texts_are_judged_by_the_other_half(label: str) -> None:
    """A key says nothing of rows that it isn't of; a text that stands for the label says all."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 4000)
    frame = pd.DataFrame({"key": [f"k{i}" for i in range(4000)], "some": rng.integers(0, 20, 4000).astype(str)})
    frame["disguise"] = np.where(y == 1, "late", "on time")
    frame["missing"] = pd.Series(np.where(y == 1, "x", None), dtype=object)
    frame[label] = {"y": y, "text": np.where(y == 1, "yes", "no"), "flag": y == 1}[label]
    found = told(frame, label=label)
    assert found["disguise", AREA] == (pytest.approx(1), 4000)
    assert found["missing", AREA] == (pytest.approx(1), 4000)
    assert found.get(("some", AREA), (0.5,))[0] < 0.53
    assert found.get(("key", AREA), (0.5,))[0] < 0.53


def test_nan_is_no_finding() -> None:
    frame = pd.DataFrame({"y": [0, 1] * 50, "one": [3.0] * 100, "inf": [float("inf")] * 100})
    assert told(frame[["y", "one"]]) == {}


def test_only_what_reaches_the_threshold_is_told() -> None:
    y = np.r_[np.zeros(10), np.ones(10)].astype(int)
    frame = pd.DataFrame({"y": y, "x": np.arange(20), "z": np.r_[0:10, 5:15], "id": range(20)})
    assert {f for f, _ in told(frame, threshold=0.95, leave_out=["ID"])} == {"x"}
    assert {f for f, _ in told(frame, threshold=0.85, leave_out=["ID"])} == {"x", "z"}


def test_rows_without_a_label_are_left_out() -> None:
    frame = pd.DataFrame({"y": pd.array([0, 1, None, None], dtype="Int64"), "x": [1.0, 2.0, -5.0, 9.0]})
    assert told(frame)["x", AREA] == (1, 2)


def test_mistakes_are_named() -> None:
    columns = {"y": "INT", "x": "DOUBLE", "at": "TIMESTAMP"}
    with pytest.raises(UnknownNameError, match="unknown column 'lable'"):
        telltale_features("t", columns, label="lable")
    with pytest.raises(UnknownNameError, match="unknown column 'z'"):
        telltale_features("t", columns, label="y", leave_out=["z"])
    with pytest.raises(InvalidRequestError, match=r"threshold is 0\.4"):
        telltale_features("t", columns, label="y", threshold=0.4)
    with pytest.raises(InvalidRequestError, match="no column is left"):
        telltale_features("t", columns, label="y", leave_out=["x"])
