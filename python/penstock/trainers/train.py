"""One training node: from a training-set table to a registered version with its evidence."""

from __future__ import annotations

import hashlib
import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.registry import mlflow_store
from penstock.registry.pins import log_training_set
from penstock.registry.promote import live_version, promote, publish
from penstock.trainers.evaluate import classification_scores
from penstock.trainers.inputs import TableVersion, content_checksum, read_from, record_in
from penstock.trainers.requirements import requirements_of

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

RECORD = (
    "model string, version int, run_id string, fingerprint string, training_set string, training_set_version bigint,"
    " training_rows bigint, held_out_rows bigint, held_out_from timestamp, auc double, baseline_auc double,"
    " log_loss double, baseline_log_loss double"
)


@dataclass(frozen=True)
class TrainingNode:
    """What a training node declares.

    Attributes:
        model: The name under which versions are registered and SQL calls the model.
        label: The column to predict, 0 or 1.
        features: The input columns, in the order of the model's signature.
        time: The column that orders the rows; the newest part is held out.
        held_out: The share of rows, by time, that is held out.
        baseline: A column by which the baseline groups the training labels to predict their share.
        description: What a score means, for people.
    """

    model: str
    label: str
    features: tuple[str, ...]
    time: str
    held_out: float
    baseline: str
    description: str


def train(
    training_set: Any,
    build: Callable[[Sequence[str], Sequence[str]], Any],
    *,
    model: str,
    label: str,
    time: str,
    baseline: str,
    description: str = "",
    leave_out: Sequence[str] = (),
    held_out: float = 0.2,
) -> Any:
    """Fit a binary classifier on a training-set table, log it, register it if it is new, and let a first one go live.

    Nothing is fitted when a version was registered from the same rows, the same code and the same libraries.

    Args:
        training_set: A Spark DataFrame over one Delta table.
        build: Makes the unfitted scikit-learn estimator from the names of the numeric and of the text features.
        model: The name to register.
        label: The column to predict, 0 or 1.
        time: The column that orders the rows; the newest are held out.
        baseline: The column whose groups' label share is the baseline.
        description: What a score means, for people who call the model in SQL.
        leave_out: Columns that are no features (keys, times, other labels).
        held_out: The share of rows that is held out.

    Returns:
        A Spark DataFrame with one row: the version that fits the training set and the code, with its evidence.

    Raises:
        UnknownNameError: when a named column is not in the training set.
        InvalidDefinitionError: when the training set is not one Delta table, or has no rows.
    """
    for column in (label, time, baseline, *leave_out):
        if column not in training_set.columns:
            raise UnknownNameError.of("column", column, training_set.columns, where=f"training node {model}")
    features = tuple(c for c in training_set.columns if c not in {label, time, *leave_out})
    node = TrainingNode(model, label, features, time, held_out, baseline, description)
    tables = read_from(training_set)
    if len(tables) != 1:
        raise InvalidDefinitionError(
            f"a training node reads one Delta table, this one reads {[t.table for t in tables]}",
            where=f"training node {model}",
            fix="materialize the training set as a table and pass its ref",
        )
    spark = training_set.sparkSession
    fingerprint = _fingerprint(node, build, content_checksum(training_set))
    version = mlflow_store.find_version(model, fingerprint)
    if version is not None:
        _log.info("%s: version %s was made from these rows by this code, nothing is fitted", model, version.version)
    else:
        version = _fit(node, training_set, build, tables[0], fingerprint)
    if live_version(spark, model) is None:
        promote(spark, model, int(version.version), expected=None, reason="first version")
    else:
        publish(spark, model)
    return spark.createDataFrame([_record(version)], RECORD)


def _record(version: Any) -> tuple[Any, ...]:
    """The row of one version, all of it read back from MLflow."""
    run = mlflow_store.client().get_run(version.run_id)
    return (
        version.name,
        int(version.version),
        version.run_id,
        version.tags[mlflow_store.FINGERPRINT],
        version.tags["training_set"],
        int(version.tags["training_set_version"]),
        int(run.data.params["training_rows"]),
        int(run.data.params["held_out_rows"]),
        datetime.fromisoformat(run.data.params["held_out_from"]),
        *(run.data.metrics[name] for name in ("auc", "baseline_auc", "log_loss", "baseline_log_loss")),
    )


def _fit(node: TrainingNode, training_set: Any, build: Any, table: TableVersion, fingerprint: str) -> Any:
    import mlflow
    from mlflow.models import infer_signature

    _log.info("%s: reading version %s of %s", node.model, table.version, table.table)
    frame = _in_memory(training_set, node)
    if frame.empty:
        raise InvalidDefinitionError("the training set is empty", where=f"training node {node.model}")
    cut = int(len(frame) * (1 - node.held_out))
    # Rows of one moment stay on one side.
    border = frame[node.time].iloc[cut]
    fit, test = frame[frame[node.time] < border], frame[frame[node.time] >= border]
    inputs = list(node.features)
    text = [c for c in inputs if frame[c].dtype == object]
    estimator = build([c for c in inputs if c not in text], text)
    _log.info("%s: fitting on %s rows, %s features", node.model, f"{len(fit):,}", len(inputs))
    estimator.fit(fit[inputs], fit[node.label])
    _log.info("%s: scoring the %s rows that were held out", node.model, f"{len(test):,}")
    scores = classification_scores(
        test[node.label], estimator.predict_proba(test[inputs])[:, 1], _baseline(node, fit, test)
    )
    _log.info("%s: logging to MLflow (AUC %.3f, baseline %.3f)", node.model, scores["auc"], scores["baseline_auc"])
    experiment = mlflow_store.open_experiment(node.model)
    with mlflow.start_run(experiment_id=experiment, run_name=node.model) as run:
        mlflow.log_params(
            {
                "features": len(inputs),
                "training_rows": len(fit),
                "held_out_rows": len(test),
                "held_out_from": border.isoformat(),
            }
        )
        mlflow.log_metrics(scores)
        record = record_in(training_set.sparkSession, table.table)
        log_training_set(table.table, table.version, fingerprint, record)
        logged = mlflow.sklearn.log_model(
            estimator,
            name="model",
            signature=infer_signature(fit[inputs].head(1000), estimator.predict_proba(fit[inputs].head(5))[:, 1]),
            input_example=fit[inputs].head(3),
            registered_model_name=None,
            metadata=mlflow_store.described(node.description, _comments(training_set)),
            serialization_format="cloudpickle",
            pip_requirements=requirements_of(estimator),
        )
        store = mlflow_store.client()
        if not store.search_registered_models(f"name = '{node.model}'"):
            store.create_registered_model(node.model)
        return store.create_model_version(
            node.model,
            logged.model_uri,
            run_id=run.info.run_id,
            model_id=logged.model_id,
            tags={
                mlflow_store.FINGERPRINT: fingerprint,
                "training_set": table.table,
                "training_set_version": str(table.version),
            },
        )


def _comments(training_set: Any) -> dict[str, str]:
    """What the table says of its columns."""
    return {f.name: f.metadata["comment"] for f in training_set.schema if "comment" in f.metadata}


def _in_memory(training_set: Any, node: TrainingNode) -> pd.DataFrame:
    """The training set as pandas, ordered; whole numbers and decimals become floats so that each may be missing."""
    from pyspark.sql import functions as f

    columns = [
        f.col(c).cast("double").alias(c) if t != "string" else f.col(c)
        for c, t in training_set.select(*node.features).dtypes
    ]
    rows = training_set.select(*columns, f.col(node.label).cast("int").alias(node.label), node.time)
    # Ties in time are ordered by content, the label too, so that the same rows always give the same model and scores.
    frame: pd.DataFrame = rows.toArrow().to_pandas()
    return frame.sort_values([node.time, *node.features, node.label], ignore_index=True)


def _baseline(node: TrainingNode, fit: pd.DataFrame, test: pd.DataFrame) -> pd.Series[float]:
    share = fit.groupby(node.baseline)[node.label].mean()
    return test[node.baseline].map(share).fillna(fit[node.label].mean())


def _fingerprint(node: TrainingNode, build: Callable[..., Any], content: str) -> str:
    import sklearn

    code = [inspect.getsource(build), *(p.read_text() for p in sorted(Path(__file__).parent.glob("*.py")))]
    parts = (repr(node), content, sklearn.__version__, f"{sys.version_info[:2]}", *code)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
