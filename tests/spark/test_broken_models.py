"""Models that are broken, each in one way: one clear error, and no row lost, moved or scored by another version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import mlflow
import numpy as np
import pandas as pd
import pytest

from penstock.engines.spark import run
from penstock.errors import PenstockError
from penstock.registry import mlflow_store
from penstock.registry.promote import promote
from penstock.registry.sync import sync
from penstock.scoring.memory import BOUND

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = 5_000


def broken(way: str) -> Any:
    """A model that gives ten times `a`, but for what this way of being broken makes of it."""

    class Odd(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # here, so that it is logged with its code
        def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
            import os

            a = model_input["a"].to_numpy()
            if way == "raises" and (a % 100 == 7).any():
                raise ValueError("no 7, please")
            if way == "gives less":
                return a[1:] * 10
            if way == "gives text":
                return [str(value) for value in a]
            if way == "gives NaN":
                return np.where(a % 100 == 7, np.nan, a * 10)
            if way == "dies":
                os._exit(3)
            return a * 10

    return Odd()


@pytest.fixture(scope="module")
def table(spark: SparkSession) -> str:
    spark.range(ROWS).selectExpr("id", "CAST(id AS DOUBLE) AS a").repartition(5).write.format("delta").mode(
        "overwrite"
    ).saveAsTable("default.to_break")
    return "default.to_break"


def register(spark: SparkSession, model: str, way: str) -> Path:
    """A version that is live, broken in this way; the folder of its files."""
    from mlflow.models import infer_signature

    store = mlflow_store.client()
    example = pd.DataFrame({"a": [1.0, 2.0]})
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment(model)):
        logged = mlflow.pyfunc.log_model(
            name="model", python_model=broken(way), signature=infer_signature(example, example.a), pip_requirements=[]
        )
    if not store.search_registered_models(f"name = '{model}'"):
        store.create_registered_model(model)
    version = int(store.create_model_version(model, logged.model_uri).version)
    promote(spark, model, version, expected=None if version == 1 else version - 1, reason=way)
    [row] = spark.sql(f"SELECT source FROM ml.model_aliases WHERE model = '{model}'").collect()
    return Path(urlparse(row.source).path)


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("raises", "version 1 of model 'b_raises' failed: ValueError: no 7, please"),
        ("gives less", r"version 1 of model 'b_gives_less' gives \d+ values of prediction for \d+ rows"),
        ("gives text", "version 1 of model 'b_gives_text'"),
        ("gives NaN", "b_gives_NaN cannot score .* rows of a batch: the model gave NaN"),
        ("dies", "worker"),
    ],
)
def test_the_query_ends_with_one_error(spark: SparkSession, table: str, way: str, message: str) -> None:
    model = f"b_{way.replace(' ', '_')}"
    register(spark, model, way)
    with pytest.raises(PenstockError, match=message) as caught:
        run(spark, f"SELECT id, predict('{model}', a) AS p FROM {table}")
    assert len(str(caught.value).splitlines()) <= 4, str(caught.value)
    assert run(spark, f"SELECT count(*) AS n FROM {table}")["n"].to_pylist() == [ROWS], "the next query works"


@pytest.mark.parametrize("way", ["raises", "gives NaN"])
def test_rows_that_fail_stand_beside_the_others(spark: SparkSession, table: str, way: str) -> None:
    model = f"s_{way.replace(' ', '_')}"
    register(spark, model, way)
    declared = {"name": f"{model}_checked", "returns": ["prediction", "error", "version"], "on_error": "skip"}
    sync(spark, [declared], model=model, declared_by=f"model.tests.{model}", where="models/broken.yml")
    answer = run(spark, f"SELECT id, s.* FROM (SELECT id, ml.{model}_checked(a) AS s FROM {table})").to_pandas()
    assert sorted(answer.id) == list(range(ROWS))
    bad = answer.id % 100 == 7
    assert (answer.prediction[~bad] == answer.id[~bad] * 10.0).all() and answer.prediction[bad].isna().all()
    assert (answer.error.notna() == bad).all()
    assert set(answer.version) == {1}


def test_files_that_are_not_there(spark: SparkSession, table: str) -> None:
    shutil.rmtree(register(spark, "b_lost", "works"))
    with pytest.raises(PenstockError, match="version 1 of model 'b_lost' does not load: its files are not there"):
        run(spark, f"SELECT predict('b_lost', a) FROM {table}")


def test_a_model_beyond_the_bound_of_memory(spark: SparkSession, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What PySpark hands to the workers of functions that are made from now on.
    monkeypatch.setitem(spark.sparkContext.environment, BOUND, "1k")
    register(spark, "b_large", "works")
    with pytest.raises(PenstockError, match=r"the model needs [\d,]+ bytes of memory, and a worker may hold 1,024"):
        run(spark, f"SELECT predict('b_large', a) FROM {table}")
