"""MLflow as Penstock keeps it: where it lies, and what it knows of a model's versions."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.home import home

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINGERPRINT = "penstock.fingerprint"
_WORDS = "penstock"


def client() -> MlflowClient:
    """A client of the project's MLflow: MLFLOW_TRACKING_URI if it is set, else a SQLite file under the home folder."""
    import mlflow

    if _is_local():
        _folder().mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(_local_uri())
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # it shows one for each of a model's files
    # The schema migrations of a new SQLite file, and hints about other ways to log, are noise for our users.
    for noisy in ("alembic", "mlflow.store.db.utils", "mlflow.models.model", "mlflow.sklearn"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    return mlflow.MlflowClient()


def open_experiment(name: str) -> str:
    """The id of the experiment `name`, made with its artefacts under the home folder if it is not there."""
    store = client()
    known = store.get_experiment_by_name(name)
    if known is None:
        # A server has its own place for artefacts; MLflow's default for a file is ./mlruns.
        location = (_folder() / "artifacts").as_uri() if _is_local() else None
        return str(store.create_experiment(name, artifact_location=location))
    return str(known.experiment_id)


def find_version(model: str, fingerprint: str) -> Any | None:
    """The newest registered version of `model` that was made from this fingerprint, if there is one."""
    found = client().search_model_versions(f"name = '{model}' and tag.`{FINGERPRINT}` = '{fingerprint}'")
    return max(found, key=lambda v: int(v.version), default=None)


@contextmanager
def run_of(model: str, fingerprint: str) -> Iterator[Any]:
    """Within, MLflow's active run is the one of this fingerprint: one that was cut short goes on.

    Args:
        model: Whose experiment it is in.
        fingerprint: What tells the run apart.
    """
    import mlflow

    experiment = open_experiment(model)
    match = f"tags.`{FINGERPRINT}` = '{fingerprint}'"
    found = client().search_runs([experiment], match, order_by=["attributes.start_time"], max_results=1)
    known = {"run_id": found[0].info.run_id} if found else {"run_name": model, "tags": {FINGERPRINT: fingerprint}}
    with mlflow.start_run(experiment_id=experiment, **known) as run:
        yield run


def described(description: str, comments: Mapping[str, str]) -> dict[str, Any]:
    """What to log as a model's metadata, so that its words travel with its files: see `inputs_of`, `description_of`."""
    return {_WORDS: {"description": description, "comments": dict(comments)}}


def description_of(source: str) -> str:
    """What a score of a logged model means; empty where that was not logged."""
    return str((_model_info(source).metadata or {}).get(_WORDS, {}).get("description", ""))


def _model_info(source: str) -> Any:
    import mlflow

    # A local one stays where it is.
    return mlflow.models.get_model_info(mlflow.artifacts.download_artifacts(source))


def _folder() -> Path:
    return home() / "mlflow"


def _local_uri() -> str:
    return f"sqlite:///{_folder() / 'mlflow.db'}"


def _is_local() -> bool:
    """Whether nobody has set another MLflow; MLflow itself writes the variable when a URI is set in code."""
    return os.environ.get("MLFLOW_TRACKING_URI", _local_uri()) == _local_uri()
