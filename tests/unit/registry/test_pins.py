"""What MLflow says of the tables that registered models were trained on, with a real store of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.registry import mlflow_store
from penstock.registry.pins import record_tags, registered_pins
from penstock.training_sets.record import Record, SpineRecord

if TYPE_CHECKING:
    from pathlib import Path


def record(**versions: int | None) -> Record:
    inputs = {f"s.{table}": version for table, version in versions.items()}
    return Record("SELECT 1", inputs, SpineRecord("SELECT 2", 3, "ab"), {"metric m": "1"}, {}, {}, "0.1.0")


def register(model: str, made_from: Record | None, version: int) -> None:
    store = mlflow_store.client()
    run = store.create_run(mlflow_store.open_experiment(model))
    for name, value in (record_tags(made_from) if made_from else {}).items():
        store.set_tag(run.info.run_id, name, value)
    if not store.search_registered_models(f"name = '{model}'"):
        store.create_registered_model(model)
    tags = {"training_set": "S.made", "training_set_version": str(version)}
    store.create_model_version(model, source="somewhere", run_id=run.info.run_id, tags=tags)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.usefixtures("store")
def test_each_registered_version_keeps_its_set_and_what_that_was_made_from() -> None:
    register("guess", record(orders=3, seen=None), 0)
    register("guess", record(orders=5), 1)
    register("other", None, 4)
    assert registered_pins() == {
        "s.made": {0: "model guess version 1", 1: "model guess version 2", 4: "model other version 1"},
        "s.orders": {3: "model guess version 1", 5: "model guess version 2"},
    }


def test_the_tags_of_a_run_tell_the_record() -> None:
    made_from = record(orders=3, seen=None)
    tags = record_tags(made_from)
    assert {name for name in tags if name.startswith("penstock.input.")} == {"penstock.input.s.orders"}
    assert tags["penstock.training_set.spine_checksum"] == "ab"
    assert tags["penstock.training_set.sql_hash"] == made_from.sql_hash
    assert tags["penstock.training_set.definitions_hash"] == made_from.definitions_hash
