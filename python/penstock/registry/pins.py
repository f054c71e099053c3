"""Which versions of tables registered models were trained on: what a run is told of its training set, and tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.registry.mlflow_store import client

if TYPE_CHECKING:
    from penstock.training_sets.record import Record

# A run has a tag of this start for each table that its training set was made from, with its version.
_INPUT = "penstock.input."
_SET = "penstock.training_set."
_TABLE, _VERSION = _SET + "table", _SET + "table_version"


def record_tags(record: Record) -> dict[str, str]:
    """The tags of a run that was trained on a training set with this record."""
    inputs = {_INPUT + table: str(version) for table, version in record.inputs.items() if version is not None}
    return {
        **inputs,
        _SET + "sql_hash": record.sql_hash,
        _SET + "spine_checksum": record.spine.checksum,
        _SET + "spine_rows": str(record.spine.rows),
        _SET + "definitions_hash": record.definitions_hash,
        _SET + "penstock": record.penstock,
    }


def log_training_set(table: str, version: int, digest: str, record: Record | None) -> None:
    """Tell MLflow's active run what it is trained on: a dataset, tags, and the record of what that was made from.

    Args:
        table: The training set's table, `schema.table`.
        version: Its Delta version.
        digest: What tells its content from another.
        record: What it was made from, where that is known.
    """
    import mlflow

    mlflow.log_input(_dataset(table, version, digest), context="training")
    mlflow.set_tags({_TABLE: table, _VERSION: str(version)})
    if record is not None:
        mlflow.set_tags(record_tags(record))
        mlflow.log_dict(record.properties(), "training_set.json")


def _dataset(table: str, version: int, digest: str) -> Any:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    # Without the catalog's name MLflow takes the table for one of Databricks and looks for it there.
    source = DeltaDatasetSource(delta_table_name=f"spark_catalog.{table}", delta_table_version=version)
    # MLflow drops version 0 from the source, so the name says it too.
    return MetaDataset(source, name=f"{table}@v{version}"[:500], digest=digest[:32])


def registered_pins() -> Mapping[str, Mapping[int, str]]:
    """By table and version, the registered model that was trained on it, or on a set that was made from it."""
    store = client()
    found: dict[str, dict[int, str]] = {}
    for version in _versions(store):
        who = f"model {version.name} version {version.version}"
        tags = store.get_run(version.run_id).data.tags if version.run_id else {}
        for told, table, at in ((version.tags, "training_set", "training_set_version"), (tags, _TABLE, _VERSION)):
            if told.get(table) and told.get(at):
                found.setdefault(told[table].lower(), {})[int(told[at])] = who
        for name, value in tags.items():
            if name.startswith(_INPUT):
                found.setdefault(name.removeprefix(_INPUT).lower(), {})[int(value)] = who
    return found


def _versions(store: Any) -> list[Any]:
    """All versions of all models, page by page."""
    found: list[Any] = []
    token = None
    while True:
        page = store.search_model_versions(page_token=token)
        found += page
        token = page.token
        if not token:
            return found
