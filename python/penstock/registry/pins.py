"""Which versions of tables registered models were trained on: what a run says of its training set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.registry.mlflow_store import client

if TYPE_CHECKING:
    from penstock.training_sets.record import Record

# A run has a tag of this start for each table that its training set was made from, with its version.
_INPUT = "penstock.input."
_SET = "penstock.training_set."


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


def registered_pins() -> Mapping[str, Mapping[int, str]]:
    """By table and version, the registered model that was trained on it, or on a set that was made from it."""
    store = client()
    found: dict[str, dict[int, str]] = {}
    for version in _versions(store):
        who = f"model {version.name} version {version.version}"
        table, at = version.tags.get("training_set"), version.tags.get("training_set_version")
        if table and at:
            found.setdefault(table.lower(), {})[int(at)] = who
        tags = store.get_run(version.run_id).data.tags if version.run_id else {}
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
