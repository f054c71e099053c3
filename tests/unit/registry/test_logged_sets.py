"""A run is told what it is trained on, from the files of the table alone, with a real MLflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlflow
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.project import Project
from penstock.registry import mlflow_store
from penstock.registry.pins import registered_pins
from penstock.training_sets.record import Record, SpineRecord

if TYPE_CHECKING:
    from pathlib import Path

RECORD = Record("SELECT 1", {"s.orders": 3}, SpineRecord("SELECT 2", 2, "ab"), {"metric m": "1"}, {}, {}, "0.1.0")
PROFILE = """
shops:
  target: embedded
  outputs:
    embedded: {{type: spark, method: session, host: NA, schema: s,
      server_side_parameters: {{spark.sql.warehouse.dir: "{0}"}}}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "dbt_project.yml").write_text("name: shops\nprofile: shops\n")
    (tmp_path / "profiles.yml").write_text(PROFILE.format(tmp_path / "warehouse"))
    table = tmp_path / "warehouse" / "s.db" / "training"
    _built(table, RECORD)
    asked = {"meta": {"penstock.0": {"kind": "training_set"}}}
    node = {"name": "training", "schema": "s", "alias": "Training", "relation_name": "s.training", "config": asked}
    project = Project(tmp_path)
    project.__dict__["dbt_manifest"] = {"nodes": {"model.shops.training": node}}
    return project


def _built(table: Path, record: Record) -> None:
    """As a build by Spark leaves it: the commit says what it was."""
    rows = pa.table({"label": [1, 0]})
    DeltaTable.create(str(table), rows.schema, configuration=record.properties(), raise_if_key_not_exists=False)
    write_deltalake(table, rows, mode="append")
    commit = table / "_delta_log" / f"{1:020}.json"
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"]["operation"] = "CREATE OR REPLACE TABLE AS SELECT"
    commit.write_text("\n".join(json.dumps(line) for line in lines))


def _logged(project: Project, version: int | None = None) -> Any:
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment("own")) as run:
        project.training_sets.log("training", version)
    return mlflow_store.client().get_run(run.info.run_id)


def test_a_run_says_what_it_was_trained_on(project: Project) -> None:
    run = _logged(project)
    (dataset,) = [logged.dataset for logged in run.inputs.dataset_inputs]
    assert dataset.name == "s.training@v1"
    assert json.loads(dataset.source)["delta_table_version"] == 1
    assert run.data.tags["penstock.input.s.orders"] == "3"
    assert run.data.tags["penstock.training_set.sql_hash"] == RECORD.sql_hash
    store = mlflow_store.client()
    store.create_registered_model("guess")
    store.create_model_version("guess", source="somewhere", run_id=run.info.run_id)
    who = "model guess version 1"
    assert registered_pins() == {"s.training": {1: who}, "s.orders": {3: who}}


def test_what_was_written_since_was_not_made_from_the_record(project: Project) -> None:
    write_deltalake(project.folder / "warehouse" / "s.db" / "training", pa.table({"label": [5]}), mode="append")
    tags = _logged(project).data.tags
    assert tags["penstock.training_set.table_version"] == "2"
    assert not [name for name in tags if name.startswith("penstock.input.")]
    assert _logged(project, 1).data.tags["penstock.input.s.orders"] == "3"


def test_each_version_has_a_digest_of_its_own(project: Project) -> None:
    digests = [project.read_training_set("training", version).digest for version in (0, 1, 1)]
    assert digests[0] != digests[1] == digests[2]


def test_mistakes(project: Project) -> None:
    with pytest.raises(InvalidRequestError, match=r"(?s)no run of MLflow is active.*start_run"):
        project.training_sets.log("training")
    with pytest.raises(UnknownNameError, match="training"):
        project.training_sets.log("trainin")
