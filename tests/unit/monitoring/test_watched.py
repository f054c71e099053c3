"""The queries of `penstock watch`, transpiled to DuckDB, beside pandas and scikit-learn."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import sqlglot
from sklearn import metrics

from penstock.monitoring.watched import WORST, Watched, label_counts, realised, worst_features


def answer(statement: str, **tables: pd.DataFrame) -> list[dict[str, Any]]:
    [sql] = sqlglot.transpile(statement, read="spark", write="duckdb")
    connection = duckdb.connect()
    for name, frame in tables.items():
        connection.register(name, frame)
    cursor = connection.execute(sql)
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def labels() -> pd.DataFrame:
    """Predictions of two models and versions, in shadow too; some are young, of some no label has come."""
    draw = np.random.default_rng(2)
    n = 3000
    score = draw.uniform(0, 1, n)
    label = (draw.uniform(0, 1, n) < score).astype(float)
    now = pd.Timestamp.now("UTC").floor("s")
    return pd.DataFrame(
        {
            "model": draw.choice(["delay", "it's"], n), "version": draw.choice([1, 2], n).astype("int32"),
            "role": draw.choice(["live", "shadow"], n, p=[0.9, 0.1]), "prediction": score,
            "label": np.where(draw.uniform(0, 1, n) < 0.2, np.nan, label), "at": now - timedelta(days=9),
            "final_at": now + pd.to_timedelta(draw.choice([-3, 3], n), unit="D"),
        }
    )  # fmt: skip


@pytest.mark.parametrize("model", ["delay", "it's"])
def test_counts_and_metrics_are_of_the_live_predictions_of_the_version(labels: pd.DataFrame, model: str) -> None:
    own = labels[(labels.model == model) & (labels.version == 2) & (labels.role == "live")]
    final = own[own.final_at <= pd.Timestamp.now("UTC")]
    known = final.dropna(subset=["label"])
    [counts] = answer(label_counts("labels", model, 2), labels=labels.assign(label=labels.label.astype(object)))
    assert (counts["predictions"], counts["final"], counts["labelled"]) == (len(own), len(final), len(known))
    watched = Watched(model, model, metrics=("auc", "log_loss"))
    found = {row["metric"]: row for row in answer(realised("labels", watched, 2), labels=labels)}
    assert found.keys() == {"auc", "log_loss"}
    for name, value in (
        ("auc", metrics.roc_auc_score(known.label, known.prediction)),
        ("log_loss", metrics.log_loss(known.label, known.prediction)),
    ):
        assert found[name]["value"] == pytest.approx(value, rel=1e-9)
        assert found[name]["low"] < value < found[name]["high"]
        assert found[name]["rows"] == len(known)
    numbers = Watched(model, model, metrics=("rmse",), numbers=True)
    [row] = answer(realised("labels", numbers, 2), labels=labels)
    assert row["value"] == pytest.approx(metrics.root_mean_squared_error(known.label, known.prediction), rel=1e-9)


def test_the_worst_features_are_those_of_the_newest_window() -> None:
    draw = np.random.default_rng(3)
    rows = [
        {"window_end": datetime(2026, 1, day), "segment": segment, "value": None if segment == "all" else segment,
         "feature": f"f{at}", "js": draw.uniform(), "p_adjusted": draw.uniform()}
        for day in (1, 8) for segment in ("all", "a", "b") for at in range(8)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    found = answer(worst_features("drifts"), drifts=frame)
    newest = frame[frame.window_end == "2026-01-08"].sort_values("js", ascending=False)
    wanted = newest.drop_duplicates("feature").head(WORST)
    assert [row["feature"] for row in found] == list(wanted.feature)
    assert [row["js"] for row in found] == list(wanted.js)
    assert [row["segment"] for row in found] == list(wanted.segment)
    assert answer(worst_features("drifts"), drifts=frame.head(0).astype(frame.dtypes)) == []
