"""A table to score, generated, and models fitted on its first rows: logged with MLflow, and live by our own path."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.registry import mlflow_store
from penstock.registry.promote import promote

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

TABLE = "default.scored"
NUMBERS = tuple(f"n{i}" for i in range(10))
TEXTS = ("kind", "place")
_KINDS, _PLACES = 8, 60
_FITTED_ROWS, _COMPUTED_ROWS = 20_000, 100_000
_FILES = 8
_HIDDEN = (64, 32)


@dataclass(frozen=True)
class Scored:
    """A fitted model.

    Args:
        inputs: The columns that it takes.
        native: What its library made.
        flavour: The module of MLflow that logs it.
        alone: What its last step alone gives for the matrix that it takes, in memory.
        classifies: Whether MLflow's first output is the probability of the first class, and ours of the second.
        more: What else is said when it is logged.
    """

    inputs: tuple[str, ...]
    native: Any
    flavour: str
    alone: Callable[[], Any]
    classifies: bool
    more: Mapping[str, Any]


def make_table(spark: SparkSession, rows: int) -> None:
    """The Delta table: an id, numbers and texts without NULLs, and a label that follows from some of them."""
    numbers = ", ".join(f"RANDN({seed}) AS {name}" for seed, name in enumerate(NUMBERS))
    texts = (
        f"CONCAT('kind ', FLOOR(RAND(20) * {_KINDS})) AS kind, CONCAT('place ', FLOOR(RAND(21) * {_PLACES})) AS place"
    )
    label = "INT(n0 - 0.5 * n1 * n2 + IF(kind = 'kind 1', 1, 0) + 0.3 * LENGTH(place) + RANDN(30) > 2) AS label"
    spark.range(0, rows, 1, _FILES).createOrReplaceTempView("ids")
    spark.sql(f"CREATE TABLE {TABLE} USING delta AS SELECT *, {label} FROM (SELECT id, {numbers}, {texts} FROM ids)")


def first_rows(spark: SparkSession) -> pd.DataFrame:
    """What the models are fitted on."""
    frame: pd.DataFrame = spark.table(TABLE).where(f"id < {_COMPUTED_ROWS}").orderBy("id").toPandas()
    return frame


def publish(spark: SparkSession, name: str, model: Scored, frame: pd.DataFrame) -> str:
    """Log the model, register it and let it go live; gives its URI."""
    import mlflow

    store = mlflow_store.client()
    inputs = frame[list(model.inputs)].head()
    given = _outputs(model, inputs)
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment(name)):
        logged = getattr(mlflow, model.flavour).log_model(
            model.native,
            name="model",
            signature=mlflow.models.infer_signature(inputs, given),
            pip_requirements=["mlflow"],
            **model.more,
        )
    store.create_registered_model(name)
    version = int(store.create_model_version(name, logged.model_uri).version)
    promote(spark, name, version, expected=None, reason="benchmark")
    return str(logged.model_uri)


def _outputs(model: Scored, inputs: pd.DataFrame) -> Any:
    if model.classifies:
        return model.native.predict_proba(inputs)
    import pandas as pd
    import torch

    with torch.no_grad():
        return pd.DataFrame(model.native(torch.from_numpy(inputs.to_numpy("float32"))).numpy(), columns=["p"])


def linear(frame: pd.DataFrame) -> Scored:
    """Scaled numbers and one-hot texts into a logistic regression."""
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return _classifier(frame, StandardScaler(), OneHotEncoder(handle_unknown="ignore"), _logistic())


def imputed(frame: pd.DataFrame) -> Scored:
    """The same with imputers before both, which no row of the table needs."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(missing_values=None, strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    return _classifier(frame, numbers, texts, _logistic())


def boosting(frame: pd.DataFrame) -> Scored:
    """LightGBM, 200 trees of 31 leaves, the texts as whole numbers."""
    from lightgbm import LGBMClassifier

    trees = LGBMClassifier(n_estimators=200, num_leaves=31, n_jobs=1, verbose=-1)
    return _classifier(frame, "passthrough", _codes(), trees)


def forest(frame: pd.DataFrame) -> Scored:
    """scikit-learn's random forest, 100 trees of depth 8, the texts as whole numbers."""
    from sklearn.ensemble import RandomForestClassifier

    trees = RandomForestClassifier(n_estimators=100, max_depth=8, n_jobs=1, random_state=0)
    return _classifier(frame, "passthrough", _codes(), trees)


def network(frame: pd.DataFrame) -> Scored | None:
    """A perceptron of torch over the numbers, with two hidden layers; its weights are those that it starts with."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    first, second = _HIDDEN
    native = nn.Sequential(
        nn.Linear(len(NUMBERS), first),
        nn.ReLU(),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Linear(second, 1),
        nn.Sigmoid(),
    ).eval()
    matrix = torch.from_numpy(frame[list(NUMBERS)].to_numpy("float32"))

    def alone() -> Any:
        with torch.inference_mode():
            return native(matrix)

    return Scored(NUMBERS, native, "pytorch", alone, classifies=False, more={"serialization_format": "pickle"})


def _classifier(frame: pd.DataFrame, numbers: Any, texts: Any, last: Any) -> Scored:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    inputs = (*NUMBERS, *TEXTS)
    before = ColumnTransformer([("numbers", numbers, list(NUMBERS)), ("texts", texts, list(TEXTS))])
    known = frame.head(_FITTED_ROWS)
    native = make_pipeline(before, last).fit(known[list(inputs)], known["label"])
    matrix = native[:-1].transform(frame[list(inputs)])
    # scikit-learn's default refuses LightGBM's classes.
    more = {"pyfunc_predict_fn": "predict_proba", "serialization_format": "cloudpickle"}
    return Scored(inputs, native, "sklearn", lambda: native[-1].predict_proba(matrix), classifies=True, more=more)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500)


def _codes() -> Any:
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


MODELS: dict[str, Callable[[Any], Scored | None]] = {
    "linear": linear, "imputed": imputed, "boosting": boosting, "forest": forest, "network": network,
}  # fmt: skip
