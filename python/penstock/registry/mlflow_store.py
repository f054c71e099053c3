"""MLflow as Penstock keeps it: where it lies, and what it knows of a model's versions."""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

from penstock.home import home
from penstock.scoring.functions import Input

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINGERPRINT = "penstock.fingerprint"


def client() -> MlflowClient:
    """A client of the project's MLflow: MLFLOW_TRACKING_URI if it is set, else a SQLite file under the home folder."""
    import mlflow

    if "MLFLOW_TRACKING_URI" not in os.environ:
        folder = home() / "mlflow"
        folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    # The schema migrations of a new SQLite file, and hints about other ways to log, are noise for our users.
    for noisy in ("alembic", "mlflow.store.db.utils", "mlflow.models.model", "mlflow.sklearn"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    return mlflow.MlflowClient()


def open_experiment(name: str) -> str:
    """The id of the experiment `name`, made with its artefacts under the home folder if it is not there."""
    import mlflow

    store = client()
    known = store.get_experiment_by_name(name)
    if known is None:
        location = None if "MLFLOW_TRACKING_URI" in os.environ else (home() / "mlflow" / "artifacts").as_uri()
        return str(store.create_experiment(name, artifact_location=location))
    mlflow.set_experiment(experiment_id=known.experiment_id)
    return str(known.experiment_id)


def find_version(model: str, fingerprint: str) -> Any | None:
    """The newest registered version of `model` that was made from this fingerprint, if there is one."""
    found = client().search_model_versions(f"name = '{model}' and tag.`{FINGERPRINT}` = '{fingerprint}'")
    return max(found, key=lambda v: int(v.version), default=None)


def inputs_of(source: str) -> tuple[Input, ...]:
    """The inputs of a logged model, from its signature, in order."""
    from mlflow.models import Model

    schema = Model.load(source).get_input_schema()
    return tuple(Input(c.name, c.type.name, c.required) for c in schema.inputs) if schema else ()
