"""Models for gates: rows of two segments, and versions that know them well, badly, or only in part."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from penstock.monitoring.gates.definition import Gate, parse_gate
from penstock.registry import mlflow_store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TABLE = "default.gate_rows"
INPUTS = ("x_day", "x_night")
DECLARED = {
    "evaluate": "gate_rows", "label": "label", "time": "at", "loss": "log_loss", "matured": "final",
    "better_by": 0.001, "slices": ["segment"], "no_slice_worse_than": 0.02, "min_rows": 1500,
    "calibrated": {"max_ece": 0.05},
}  # fmt: skip
START = pd.Timestamp("2026-01-01", tz="UTC")


def rows(n: int = 4000, seed: int = 0) -> pd.DataFrame:
    """A row an hour; `x` tells much of the label, by day and by night. Versions are fitted on the first half."""
    draw = np.random.default_rng(seed)
    x, night = draw.normal(0, 1, n), draw.uniform(0, 1, n) < 0.15
    label = (draw.uniform(0, 1, n) < 1 / (1 + np.exp(-2 * x))).astype(float)
    return pd.DataFrame(
        {
            "at": START + pd.to_timedelta(np.arange(n), unit="h"),
            "x_day": np.where(night, 0.0, x),
            "x_night": np.where(night, x, 0.0),
            "segment": np.where(night, "night", "day"),
            "label": label,
            "final": True,
        }
    )


def write(spark: SparkSession, frame: pd.DataFrame, table: str = TABLE) -> None:
    spark.createDataFrame(frame).write.format("delta").mode("overwrite").saveAsTable(table)


@lru_cache(maxsize=8)
def logged(kind: str) -> Any:
    """A version of a kind, logged once: `plain` knows half, `better` all, `shuffled` none, `blind` none by night."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    frame = rows().iloc[:2000]
    draw = np.random.default_rng(1)
    label = frame.label.to_numpy()
    if kind == "plain":
        label = np.where(draw.uniform(0, 1, len(frame)) < 0.35, 1 - label, label)
    if kind == "shuffled":
        label = draw.permutation(label)
    if kind == "blind":
        label = np.where(frame.segment == "night", draw.permutation(label), label)
    inputs = frame[list(INPUTS)]
    native = LogisticRegression().fit(inputs, label)
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment("gated")) as run:
        mlflow.log_param("held_out_from", frame["at"].iloc[-1].isoformat())
        model = mlflow.sklearn.log_model(
            native, name="model", signature=infer_signature(inputs, native.predict_proba(inputs)[:, 1]),
            pip_requirements=["mlflow"], serialization_format="cloudpickle",
        )  # fmt: skip
    return model, run.info.run_id


def register(model: str, *kinds: str) -> None:
    """Register versions of these kinds, in order."""
    store = mlflow_store.client()
    if not store.search_registered_models(f"name = '{model}'"):
        store.create_registered_model(model)
    for kind in kinds:
        of_kind, run_id = logged(kind)
        store.create_model_version(model, of_kind.model_uri, run_id=run_id, model_id=of_kind.model_id)


def gate(model: str, **more: Any) -> Gate:
    """The gate of a model as most tests declare it."""
    return parse_gate(DECLARED | more, model=model, where="models/gated.yml")


def mirrored(model: str) -> int:
    """The live version as MLflow tells it."""
    return int(mlflow_store.client().get_model_version_by_alias(model, "champion").version)


def scores(spark: SparkSession, model: str) -> list[float]:
    """What the live version gives for the rows."""
    rows = spark.sql(f"SELECT predict('{model}', r.*) AS p FROM {TABLE} AS r ORDER BY at").collect()
    return [row["p"] for row in rows]
