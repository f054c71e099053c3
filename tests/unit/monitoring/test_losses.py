"""Losses on DuckDB, against scikit-learn."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics
from sqlglot import exp

from penstock.errors import UnknownNameError
from penstock.monitoring.performance.losses import LOSSES, loss

DRAW = np.random.default_rng(3)
LABELS = DRAW.integers(0, 2, 500).astype(float)
SCORES = np.concatenate([DRAW.uniform(0, 1, 490), [0, 0, 0, 1, 1, 1, 0.5, 0.5, 0.3, 0.3]])
ORACLES = {
    "absolute_error": metrics.mean_absolute_error,
    "log_loss": metrics.log_loss,
    "squared_error": metrics.mean_squared_error,
    "zero_one": lambda y, p: metrics.zero_one_loss(y, p >= 0.5),
}


def mean(name: str, label: list[float | None], score: list[float | None], **asked: float) -> tuple[float, int]:
    rows = pa.table({"label": pa.array(label, pa.float64()), "score": pa.array(score, pa.float64())})
    connection = duckdb.connect()
    connection.register("rows_of_test", rows)
    row = loss(name, exp.column("label"), exp.column("score"), **asked).sql("duckdb")
    [found] = connection.execute(f"SELECT AVG({row}), COUNT({row}) FROM rows_of_test").fetchall()
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_means_are_those_of_scikit_learn(name: str) -> None:
    found, counted = mean(name, list(LABELS), list(SCORES))
    assert counted == 500
    assert found == pytest.approx(ORACLES[name](LABELS, SCORES), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_without_label_or_score_there_is_no_loss(name: str) -> None:
    assert mean(name, [None, 1.0, None], [0.5, None, None]) == (None, 0)


def test_a_threshold_is_the_first_that_counts_as_yes() -> None:
    assert mean("zero_one", [0.0, 1.0], [0.3, 0.29], threshold=0.3)[0] == 1.0
    assert mean("zero_one", [1.0, 0.0], [0.3, 0.29], threshold=0.3)[0] == 0.0


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: log_loss"):
        loss("logloss", exp.column("label"), exp.column("score"))
