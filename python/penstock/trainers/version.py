"""A fitted estimator as a version of the registry, and the row of evidence that is read back from there."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.registry import mlflow_store
from penstock.registry.pins import log_training_set
from penstock.trainers.evaluate import predicted, score_names
from penstock.trainers.inputs import TableVersion, record_in
from penstock.trainers.node import TrainingNode
from penstock.trainers.requirements import requirements_of

if TYPE_CHECKING:
    from penstock.trainers.rows import Sides

_RECORD = (
    "model string, version int, run_id string, fingerprint string, training_set string, training_set_version bigint,"
    " training_rows bigint, held_out_rows bigint, held_out_from timestamp"
)


def log_version(
    node: TrainingNode,
    training_set: Any,
    table: TableVersion,
    fingerprint: str,
    estimator: Any,
    sides: Sides,
    scores: dict[str, float],
) -> Any:
    """Log what was fitted to MLflow's active run, and register it.

    Args:
        node: What was asked for.
        training_set: The DataFrame that it was read from.
        table: The same as a table's version.
        fingerprint: What tells the version apart.
        estimator: Fitted.
        sides: The rows that it was fitted on, and those that were held out.
        scores: How good it is on the latter.

    Returns:
        MLflow's version.
    """
    import mlflow
    from mlflow.models import infer_signature

    inputs = sides.before[list(node.features)]
    mlflow.log_params(
        {
            "features": len(node.features),
            "training_rows": len(sides.before),
            "held_out_rows": len(sides.after),
            "held_out_from": sides.border.isoformat(),
        }
    )
    mlflow.log_metrics(scores)
    log_training_set(table.table, table.version, fingerprint, record_in(training_set.sparkSession, table.table))
    logged = mlflow.sklearn.log_model(
        estimator,
        name="model",
        signature=infer_signature(inputs.head(1000), predicted(node.task, estimator, inputs.head(5))),
        input_example=inputs.head(3),
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
        run_id=mlflow.active_run().info.run_id,
        model_id=logged.model_id,
        tags={
            mlflow_store.FINGERPRINT: fingerprint,
            "training_set": table.table,
            "training_set_version": str(table.version),
        },
    )


def record_of(spark: Any, version: Any, task: str) -> Any:
    """A DataFrame of one row: a version with its evidence, all of it read back from MLflow.

    Args:
        spark: A session.
        version: MLflow's.
        task: What it was trained for, whose scores are columns.
    """
    run = mlflow_store.client().get_run(version.run_id)
    row = (
        version.name,
        int(version.version),
        version.run_id,
        version.tags[mlflow_store.FINGERPRINT],
        version.tags["training_set"],
        int(version.tags["training_set_version"]),
        int(run.data.params["training_rows"]),
        int(run.data.params["held_out_rows"]),
        datetime.fromisoformat(run.data.params["held_out_from"]),
        *(run.data.metrics[name] for name in score_names(task)),
    )
    return spark.createDataFrame([row], ", ".join([_RECORD, *(f"{name} double" for name in score_names(task))]))


def _comments(training_set: Any) -> dict[str, str]:
    """What the table says of its columns."""
    return {f.name: f.metadata["comment"] for f in training_set.schema if "comment" in f.metadata}
