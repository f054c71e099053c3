"""The queries of data tests on DuckDB: what is wrong has a row that says where and by how much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.performance.checks import calibrated, labels_mature, slice_gap_at_most, slice_metric_at_least
from penstock.monitoring.performance.scores import Scores

CONNECTION = duckdb.connect()
SCORES = Scores("checked_rows")


@pytest.fixture(scope="module", autouse=True)
def world() -> None:
    """Scores that are calibrated but for carrier UA, whose labels have nothing to do with them."""
    rng = np.random.default_rng(14)
    n = 4_000
    p = np.round(rng.uniform(0, 1, n), 2)
    carrier = rng.choice(["AA", "DL", "UA", "few"], n, p=[0.45, 0.34, 0.2, 0.01])
    truth = np.where(carrier == "UA", 0.7, p)
    label = (rng.uniform(size=n) < truth).astype(float)
    CONNECTION.register("checked_rows", pa.table({"score": p, "label": label, "carrier": carrier}))


def asked(query: exp.Query) -> list[dict[str, Any]]:
    cursor = CONNECTION.execute(query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_a_slice_below_the_limit() -> None:
    query = slice_metric_at_least(SCORES, ["carrier"], "duckdb", metric="auc", at_least=0.7)
    [row] = asked(query)
    assert (row["slice"], row["slice_value"]) == ("carrier", "UA")
    assert row["short_by"] == pytest.approx(0.7 - row["value"])
    assert row["low"] < row["value"] < row["high"] < 0.7
    assert asked(slice_metric_at_least(SCORES, ["carrier"], "duckdb", metric="auc", at_least=0.4)) == []
    wrong = asked(slice_metric_at_least(SCORES, ["carrier"], "duckdb", metric="auc", at_least=0.99, min_rows=1))
    assert {(row["slice"], row["slice_value"]) for row in wrong} == {
        ("all", None), *(("carrier", each) for each in ("AA", "DL", "UA", "few")),
    }  # fmt: skip


@pytest.mark.parametrize(("metric", "at_most"), [("accuracy", 0.1), ("log_loss", 0.2), ("positives", 0.1)])
def test_a_slice_that_is_worse_than_the_rest(metric: str, at_most: float) -> None:
    [row] = asked(slice_gap_at_most(SCORES, ["carrier"], "duckdb", metric=metric, at_most=at_most))
    assert row["slice_value"] == "UA"
    assert row["worse_by"] == pytest.approx(abs(row["value"] - row["rest"]))
    assert row["worse_by"] > at_most
    assert row["p_adjusted"] < 0.001
    assert asked(slice_gap_at_most(SCORES, ["carrier"], "duckdb", metric=metric, at_most=0.9)) == []


def test_a_gap_by_chance_passes() -> None:
    assert asked(slice_gap_at_most(SCORES, ["carrier"], "duckdb", metric="accuracy", at_most=0.1, alpha=0)) == []
    # without standard errors the gap counts alone
    assert len(asked(slice_gap_at_most(SCORES, ["carrier"], "duckdb", metric="ece", at_most=0.1, alpha=0))) == 1


def test_scores_that_are_not_calibrated() -> None:
    by = Scores("checked_rows", keys=("carrier",))
    for limits in ({"max_ece": 0.15}, {"alpha": 0.001}, {"max_ece": 0.15, "alpha": 0.001}):
        [row] = asked(calibrated(by, "duckdb", **limits))
        assert (row["carrier"], row["ece"] > 0.15, row["p"] < 0.001) == ("UA", True, True)
    assert asked(calibrated(by, "duckdb", max_ece=0.5)) == []


def test_labels_that_should_have_come() -> None:
    now = datetime.now(UTC)
    at = [now - timedelta(hours=hours) for hours in (30, 29, 28, 27, 2, 1)]
    CONNECTION.register("labelled", pa.table({"At": at, "label": [1.0, 0.0, 1.0, None, None, None]}))
    asks: dict[str, Any] = {"at": "At", "label": "label", "at_least": 0.9}
    assert asked(labels_mature("labelled", "duckdb", horizon="1 day", **asks)) == [
        {"mature": 4, "labelled": 3, "share": 0.75, "short_by": pytest.approx(0.15)}
    ]
    assert asked(labels_mature("labelled", "duckdb", horizon="1 day", **asks | {"at_least": 0.75})) == []
    assert asked(labels_mature("labelled", "duckdb", horizon="9 days", **asks)) == []


def test_what_cannot_be_asked() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: accuracy"):
        slice_metric_at_least(SCORES, ["carrier"], "spark", metric="acuracy", at_least=0.5)
    with pytest.raises(UnknownNameError, match="fix: say numbers: true"):
        slice_gap_at_most(SCORES, ["carrier"], "spark", metric="rmse", at_most=0.5)
    with pytest.raises(InvalidRequestError, match="of 'log_loss' less is better"):
        slice_metric_at_least(SCORES, ["carrier"], "spark", metric="log_loss", at_least=0.5)
    with pytest.raises(InvalidRequestError, match="there is no limit of calibration"):
        calibrated(SCORES, "spark")
    with pytest.raises(InvalidRequestError, match="max_ece is 5"):
        calibrated(SCORES, "spark", max_ece=5)
    with pytest.raises(InvalidRequestError, match="month"):
        labels_mature("t", "spark", at="at", label="label", horizon="1 month", at_least=1)
