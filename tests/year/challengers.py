"""Challengers of the year: trained on the timetable alone, on shuffled labels, on wrong labels of a carrier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from penstock.registry import mlflow_store

if TYPE_CHECKING:
    import pandas as pd

MODEL = "late"
Kind = Literal["schedule", "shuffled", "wrong of a carrier"]
_NO_FEATURES = ("flight_id", "predict_at", "is_late")
_SCHEDULE = ("departure_hour", "departure_weekday", "distance")
_TRAINED = 0.8  # the share of the rows, by time, that a version is trained on


def register(rows: pd.DataFrame, kind: Kind, carrier: str = "VX") -> int:
    """Train a version on the older rows and register it; its number.

    Args:
        rows: Those of the table `arrived`.
        kind: What it is trained on: `schedule` has the columns of the timetable alone, and the other two are trained as
            the project trains, on labels that are shuffled, or wrong in the rows of one carrier.
        carrier: Which.
    """
    import mlflow
    from mlflow.models import infer_signature

    rows = rows.sort_values(["predict_at", "flight_id"], ignore_index=True)
    border = rows["predict_at"].iloc[int(len(rows) * _TRAINED)]
    trained = rows[rows["predict_at"] < border]
    label = trained["is_late"].to_numpy()
    if kind == "shuffled":
        label = np.random.default_rng(0).permutation(label)
    if kind == "wrong of a carrier":
        label = np.where(trained["carrier"] == carrier, 1 - label, label)
    features = [name for name in (_SCHEDULE if kind == "schedule" else trained.columns) if name not in _NO_FEATURES]
    inputs = trained[features]
    texts = [name for name in features if inputs[name].dtype == object]
    numbers = [name for name in features if name not in texts]
    inputs = inputs.astype(dict.fromkeys(numbers, "float64"))
    estimator = _trees(numbers, texts).fit(inputs, label)
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment(MODEL)) as run:
        mlflow.log_param("held_out_from", border.isoformat())
        logged = mlflow.sklearn.log_model(
            estimator, name="model", signature=infer_signature(inputs, estimator.predict_proba(inputs.head())[:, 1]),
            pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
        )  # fmt: skip
    store = mlflow_store.client()
    if not store.search_registered_models(f"name = '{MODEL}'"):
        store.create_registered_model(MODEL)
    made = store.create_model_version(MODEL, logged.model_uri, run_id=run.info.run_id, model_id=logged.model_id)
    return int(made.version)


def _trees(numbers: list[str], texts: list[str]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    columns = ColumnTransformer([("texts", categories, texts), ("numbers", "passthrough", numbers)])
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=60, random_state=0))
