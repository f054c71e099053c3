"""A declared regressor on Spark: its evidence beside pandas and scikit-learn, its trials in MLflow, what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.registry import mlflow_store
from penstock.trainers.declaration import parse_training
from penstock.trainers.declared import train_declared

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "default.hours_to_predict"
DECLARED: dict[str, Any] = {
    "rows": "hours", "label": "hours", "time": "day", "leave_out": ["id"], "baseline": "team", "trainer": "ridge",
    "split": {"held_out": 0.25, "folds": 2, "gap": "3 days"},
    "search": {"trials": 4, "metric": "mae", "space": {"alpha": {"low": 0.1, "high": 100.0, "log": True}}},
}  # fmt: skip


def rows() -> pd.DataFrame:
    """Two rows a day; each tenth is not known yet."""
    draw, n = np.random.default_rng(0), 400
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(n) // 2, unit="D"),
            "team": draw.choice(["a", "b"], n),
            "size": draw.integers(1, 9, n),
            "urgent": draw.uniform(0, 1, n) < 0.3,
        }
    )
    hours = 2.0 * frame["size"] + 3 * frame.urgent + (frame.team == "a") + draw.normal(0, 1, n)
    frame["hours"] = hours.round(2).where(frame.id % 10 != 0)
    return frame


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> Any:
    frame = rows()
    told = frame.assign(
        day=frame.day.dt.date,
        hours=[None if np.isnan(each) else Decimal(f"{each:.2f}") for each in frame.hours],
    )
    schema = "id long, day date, team string, size int, urgent boolean, hours decimal(9, 2)"
    values = [tuple(None if each is pd.NA else each for each in row) for row in told.astype(object).to_numpy().tolist()]
    spark.createDataFrame(values, schema).write.format("delta").mode("overwrite").saveAsTable(TABLE)
    return spark.table(TABLE)


def trained(table: Any, model: str, **more: Any) -> Any:
    [row] = train_declared(table, parse_training(DECLARED | more, model=model, where="hours.yml")).collect()
    return row


def test_its_evidence_is_what_pandas_and_scikit_learn_find(table: Any) -> None:
    row = trained(table, "hours")
    frame = rows().dropna(subset="hours").sort_values("day", kind="stable")
    border = frame.day.iloc[int(len(frame) * 0.75)]
    fit, test = frame[frame.day < border - pd.Timedelta(days=3)], frame[frame.day >= border]
    assert (row["training_rows"], row["held_out_rows"]) == (len(fit), len(test))
    assert pd.Timestamp(row["held_out_from"]).date() == border.date()

    store = mlflow_store.client()
    run = store.get_run(row["run_id"])
    inputs = ["team", "size", "urgent"]
    columns = make_column_transformer((StandardScaler(), ["size", "urgent"]), (OneHotEncoder(), ["team"]))
    model = make_pipeline(columns, Ridge(alpha=float(run.data.params["ridge.alpha"]))).fit(fit[inputs], fit.hours)
    errors = test.hours - model.predict(test[inputs])
    baseline = test.hours - test.team.map(fit.groupby("team").hours.mean())
    for name, of in {"": errors, "baseline_": baseline}.items():
        assert row[f"{name}mae"] == pytest.approx(of.abs().mean(), rel=1e-9)
        assert row[f"{name}rmse"] == pytest.approx(np.sqrt((of**2).mean()), rel=1e-9)

    match = f"tags.`mlflow.parentRunId` = '{row['run_id']}'"
    trials = store.search_runs([run.info.experiment_id], match)
    best = min(trials, key=lambda each: each.data.metrics["mae"])
    assert len(trials) == 4
    assert best.data.params["alpha"] == run.data.params["ridge.alpha"]
    assert best.data.metrics["mae"] == run.data.metrics["search_mae"]

    assert trained(table, "hours") == row, "the same rows and declaration give the version that there is"
    assert len(store.search_runs([run.info.experiment_id])) == 5
    assert trained(table, "hours", search=None)["version"] == 2, "another declaration gives another"


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"label": "hour"}, UnknownNameError, r"unknown column 'hour'\n.*\n  did you mean: hours"),
        ({"leave_out": ["idd"]}, UnknownNameError, "unknown column 'idd'"),
        ({"baseline": "tem"}, UnknownNameError, r"unknown column 'tem'\n.*\n  did you mean: team"),
        ({"label": "team", "baseline": "size"}, InvalidDefinitionError, "column 'team' is of type STRING"),
        ({"time": "size", "leave_out": ["id", "day"]}, InvalidDefinitionError, "column 'size' is of type INT"),
        ({"trainer": "random_forest", "task": "classifier", "search": None}, InvalidDefinitionError, "neither 0 nor 1"),
    ],
)  # fmt: skip
def test_what_the_rows_do_not_have_is_told(table: Any, more: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        trained(table, "never", **more)


def test_no_rows(spark: SparkSession, table: Any) -> None:
    table.where("false").write.format("delta").mode("overwrite").saveAsTable("default.no_hours")
    with pytest.raises(InvalidDefinitionError, match="the training set is empty"):
        trained(spark.table("default.no_hours"), "never")
    table.where("hours IS NULL").write.format("delta").mode("overwrite").saveAsTable("default.no_hours")
    with pytest.raises(InvalidDefinitionError, match="no row has a label"):
        trained(spark.table("default.no_hours"), "never")
