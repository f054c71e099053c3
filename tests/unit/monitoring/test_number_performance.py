"""Performance of predicted numbers on DuckDB, against scikit-learn and numpy."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.regression import NUMBER_METRICS, number_performance
from penstock.monitoring.performance.scores import Scores

CONNECTION = duckdb.connect()
QUERY = number_performance(Scores("numbers_given", weight="weight"), "duckdb").sql("duckdb")


def asked(score: Any, label: Any, weight: Any) -> dict[str, dict[str, Any]]:
    table = {name: pa.array(v, pa.float64()) for name, v in (("score", score), ("label", label), ("weight", weight))}
    CONNECTION.register("numbers_given", pa.table(table))
    cursor = CONNECTION.execute(QUERY)
    names = [each[0] for each in cursor.description]
    found = (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    return {row.pop("metric"): row for row in found}


numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, st.floats(0.125, 8)), min_size=1, max_size=40))
def test_values_are_those_of_scikit_learn(rows: list[tuple[float, float, float]]) -> None:
    p, y, w = (np.array(each) for each in zip(*rows, strict=True))
    found = asked(p, y, w)
    wanted = {
        "mean_error": np.average(p - y, weights=w),
        "absolute_error": metrics.mean_absolute_error(y, p, sample_weight=w),
        "squared_error": metrics.mean_squared_error(y, p, sample_weight=w),
        "rmse": metrics.root_mean_squared_error(y, p, sample_weight=w),
    }
    assert found.keys() == NUMBER_METRICS.keys()
    for name, value in wanted.items():
        assert found[name]["value"] == pytest.approx(value, rel=1e-9, abs=1e-9), name
        assert found[name]["rows"] == len(y)
    if y.std() > 1:
        assert found["r2"]["value"] == pytest.approx(metrics.r2_score(y, p, sample_weight=w), rel=1e-6)


def test_errors() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(20, 5, 200)
    p = y + rng.normal(1, 2, 200)
    found = asked(p, y, np.ones(200))
    e, root = p - y, np.sqrt(200)
    wanted = {"mean_error": e.std(ddof=1) / root, "absolute_error": np.abs(e).std(ddof=1) / root}
    wanted["squared_error"] = (e**2).std(ddof=1) / root
    wanted["rmse"] = wanted["squared_error"] / 2 / np.sqrt((e**2).mean())
    for name, error in wanted.items():
        assert found[name]["standard_error"] == pytest.approx(error, rel=1e-9), name
        half = (found[name]["high"] - found[name]["low"]) / 2
        assert half == pytest.approx(1.959963984540054 * error, rel=1e-9)
    assert found["r2"]["standard_error"] is None


def test_nothing_to_tell() -> None:
    assert asked([None], [1.0], [1.0]) == {}
    found = asked([1.0, 3.0], [2.0, 2.0], [1.0, 1.0])
    assert (found["r2"]["value"], found["rmse"]["value"]) == (None, 1)


def test_labels_that_are_no_outcomes_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="taken as probability"):
        number_performance(Scores("t", label_is="probability"), "spark")
