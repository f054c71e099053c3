"""Pipelines of Spark ML as SQL functions: the plan holds the pipeline's own expressions, so values are equal bit for
bit."""

from __future__ import annotations

import gc
import shutil
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as f

from penstock.engines import spark_ml
from penstock.engines.spark import run
from penstock.errors import InvalidDefinitionError, PenstockError
from penstock.registry import mlflow_store
from penstock.registry.promote import promote
from penstock.registry.sync import sync

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import Column, DataFrame, SparkSession

TRAINING, TABLE = "default.ml_training", "default.ml_to_score"
INPUTS = ("a", "b", "kind")


def rows_of(seed: int, kinds: list[Any]) -> pd.DataFrame:
    random, rows = np.random.default_rng(seed), 120
    frame = pd.DataFrame({"id": np.arange(rows), "a": random.normal(size=rows), "b": random.integers(0, 5, rows)})
    frame["kind"] = random.choice(kinds, rows)
    frame["y"] = frame.a * 3 + frame.b
    frame["late"] = np.where(frame.y > 2, "late", "on time")
    frame["size"] = np.select([frame.y < 1, frame.y < 4], ["small", "middle"], "large")
    return frame


@pytest.fixture(scope="module")
def training(spark: SparkSession) -> DataFrame:
    frame = spark.createDataFrame(rows_of(1, ["x", "y", "z"])).coalesce(1).cache()
    # NULLs in numbers and texts, and texts that no stage has seen.
    table = spark.createDataFrame(rows_of(2, ["x", "y", "never seen", None])).selectExpr(
        "id", "IF(id % 7 = 0, NULL, a) AS a", "IF(id % 11 = 0, NULL, b) AS b", "kind"
    )
    table.coalesce(1).write.format("delta").mode("overwrite").saveAsTable(TABLE)
    return frame


def stages(last: Any, *, label: str = "", impute: bool = True, invalid: str = "keep") -> list[Any]:
    from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler

    numbers = ["a_known", "b_known"] if impute else ["a", "b"]
    return [
        *([Imputer(inputCols=["a", "b"], outputCols=numbers)] if impute else []),
        *([StringIndexer(inputCol=label, outputCol="label")] if label else []),
        StringIndexer(inputCol="kind", outputCol="kind_index", handleInvalid=invalid),
        OneHotEncoder(inputCol="kind_index", outputCol="kind_vector"),
        VectorAssembler(inputCols=[*numbers, "kind_vector"], outputCol="raw", handleInvalid="keep"),
        StandardScaler(inputCol="raw", outputCol="features"),
        last,
    ]


def fitted(training: DataFrame, steps: list[Any]) -> Any:
    from pyspark.ml import Pipeline

    return Pipeline(stages=steps).fit(training)


def register(name: str, model: Any, inputs: DataFrame, outputs: Any = None) -> int:
    """Log a pipeline and register it; its version."""
    import mlflow
    from mlflow.models import infer_signature

    store = mlflow_store.client()
    with mlflow.start_run(experiment_id=mlflow_store.open_experiment(name)):
        logged = mlflow.spark.log_model(
            model,
            artifact_path="model",
            signature=infer_signature(inputs, outputs),
            pip_requirements=["pyspark", "mlflow"],
        )
    if not store.search_registered_models(f"name = '{name}'"):
        store.create_registered_model(name)
    return int(store.create_model_version(name, logged.model_uri).version)


def scored(spark: SparkSession, call: str) -> list[Any]:
    table = run(spark, f"SELECT {call} AS s FROM {TABLE} ORDER BY id")
    return table["s"].to_pylist()


def transformed(spark: SparkSession, model: Any, column: Column) -> list[Any]:
    """What the pipeline's own transform gives for the same rows."""
    return [row.s for row in model.transform(spark.table(TABLE)).orderBy("id").select(column.alias("s")).collect()]


def chances(column: str = "probability") -> Column:
    from pyspark.ml.functions import vector_to_array

    return vector_to_array(column)


def bits(values: Iterable[float]) -> list[bytes]:
    return [struct.pack("d", each) for each in values]


def test_two_versions_of_a_classifier_in_an_open_session(spark: SparkSession, training: DataFrame) -> None:
    from pyspark.ml.classification import GBTClassifier, LogisticRegression

    first = fitted(training, stages(LogisticRegression(maxIter=3), label="late"))
    second = fitted(training, stages(GBTClassifier(maxIter=2, maxDepth=2), label="late", impute=False))
    inputs = training.select(*INPUTS)
    one, two = register("ml_late", first, inputs), register("ml_late", second, inputs)
    promote(spark, "ml_late", one, expected=None, reason="first")
    analyst = spark.newSession()
    call = "ml.ml_late(a, b, kind)"
    given = scored(analyst, call)
    assert bits(given) == bits(transformed(spark, first, chances()[1]))
    assert len(set(given)) > 50
    promote(spark, "ml_late", two, expected=one, reason="better")
    expected = transformed(spark, second, chances()[1])
    assert bits(scored(analyst, call)) == bits(expected) != bits(given)
    assert bits(scored(spark, "predict('ml_late', *)")) == bits(expected)

    sync(
        spark,
        [{"name": "ml_late_all", "returns": ["label", "probabilities", "top", "version", "variant"], "top": 1}],
        model="ml_late",
        declared_by="model.tests.ml_late",
        where="models/ml_late.yml",
    )
    names = list(second.stages[0].labels)
    labels = [names[int(each)] for each in transformed(spark, second, f.col("prediction"))]
    for row, label, pair in zip(
        scored(spark, "ml.ml_late_all(a, b, kind)"), labels, transformed(spark, second, chances()), strict=True
    ):
        assert (row["label"], dict(row["probabilities"])) == (label, dict(zip(names, pair, strict=True)))
        assert row["top"] == [{"label": names[int(np.argmax(pair))], "probability": max(pair)}]
        assert (row["version"], row["variant"]) == (two, "champion")


def test_it_stands_in_the_plan_and_in_aggregates_and_filters(spark: SparkSession, training: DataFrame) -> None:
    frame = spark.sql(f"SELECT predict('ml_late', t.*) AS p FROM {TABLE} AS t")
    plan = frame._jdf.queryExecution().executedPlan().toString()
    assert "Python" not in plan
    assert "UDF(" in plan
    # Spark lets no expression that is not deterministic into an aggregate, as VectorAssembler's own is.
    whole = scored(spark, "predict('ml_late', *)")
    [[mean, most]] = spark.sql(
        f"SELECT AVG(predict('ml_late', t.*)), MAX(predict('ml_late', t.*)) FROM {TABLE} AS t"
    ).collect()
    assert (mean, most) == (pytest.approx(np.mean(whole)), max(whole))
    found = spark.sql(f"SELECT id FROM {TABLE} WHERE ml.ml_late(a, b, kind) > 0.5").count()
    assert found == sum(each > 0.5 for each in whole) > 0
    constant = spark.sql("SELECT predict('ml_late', 1.5D, CAST(NULL AS BIGINT), concat('x', ''))").collect()
    assert 0 < constant[0][0] < 1


def test_a_planned_query_needs_nothing_else_of_the_version(spark: SparkSession, training: DataFrame) -> None:
    frame = spark.sql(f"SELECT predict('ml_late', t.*) AS p FROM {TABLE} AS t ORDER BY id")
    spark_ml._version.cache_clear()
    gc.collect()
    # Spark drops a broadcast that nothing in the JVM refers to, as the forest's would be.
    spark._jvm.System.gc()
    time.sleep(1)
    assert [row.p for row in frame.collect()] == scored(spark, "predict('ml_late', *)")


def test_a_classifier_of_three_by_index_to_string(spark: SparkSession, training: DataFrame) -> None:
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import IndexToString, StringIndexer

    labels = StringIndexer(inputCol="size", outputCol="label").fit(training).labels
    steps = stages(LogisticRegression(maxIter=3), label="size")
    model = fitted(training, [*steps, IndexToString(inputCol="prediction", outputCol="said", labels=labels)])
    promote(spark, "ml_size", register("ml_size", model, training.select(*INPUTS)), expected=None, reason="first")
    assert scored(spark, "predict('ml_size', *)") == transformed(spark, model, f.col("said"))
    sync(
        spark,
        [
            {"name": "ml_size_chances", "returns": "probabilities", "on_null": "skip"},
            {"name": "ml_size_strict", "returns": ["label", "version"], "on_null": "error"},
        ],
        model="ml_size",
        declared_by="model.tests.ml_size",
        where="models/ml_size.yml",
    )
    complete = [
        row.c
        for row in spark.sql(f"SELECT isnotnull(a + b) AND isnotnull(kind) AS c FROM {TABLE} ORDER BY id").collect()
    ]
    expected = transformed(spark, model, chances())
    for row, known, vector in zip(scored(spark, "ml.ml_size_chances(a, b, kind)"), complete, expected, strict=True):
        assert (None if row is None else dict(row)) == (dict(zip(labels, vector, strict=True)) if known else None)
    with pytest.raises(PenstockError, match=r"ml_size_strict cannot score a row: input '(a|b|kind)' is NULL"):
        scored(spark, "ml.ml_size_strict(a, b, kind)")


def test_what_predicts_no_class(spark: SparkSession, training: DataFrame) -> None:
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.regression import LinearRegression

    line = fitted(training, stages(LinearRegression(labelCol="y", maxIter=3)))
    groups = fitted(training, stages(KMeans(k=3, maxIter=2, seed=1)))
    vectors = fitted(training, stages(LinearRegression(labelCol="y", maxIter=3))[:-1])
    inputs = training.select(*INPUTS)
    for name, model, column, call in (
        ("ml_line", line, f.col("prediction"), "ml.ml_line(a, b, kind)"),
        ("ml_groups", groups, f.col("prediction"), "ml.ml_groups(a, b, kind)"),
        ("ml_vectors", vectors, chances("features"), "ml.ml_vectors(a, b, kind)"),
    ):
        outputs = vectors.transform(training).select("features") if model is vectors else None
        promote(spark, name, register(name, model, inputs, outputs), expected=None, reason="first")
        given, expected = scored(spark, call), transformed(spark, model, column)
        assert repr(given) == repr(expected), name


def test_a_row_for_which_the_model_gives_nan_fails(spark: SparkSession, training: DataFrame) -> None:
    from pyspark.ml.classification import LogisticRegression

    model = fitted(training, stages(LogisticRegression(maxIter=1), label="late", impute=False))
    promote(spark, "ml_nan", register("ml_nan", model, training.select(*INPUTS)), expected=None, reason="first")
    parts = ("label", "probability", "probabilities", "top")
    declared = [{"name": f"ml_nan_{part}", "returns": part} for part in parts]
    sync(spark, declared, model="ml_nan", declared_by="model.tests.ml_nan", where="models/ml_nan.yml")
    for part in parts:
        with pytest.raises(PenstockError, match=f"ml_nan_{part} cannot score a row: the model gave NaN"):
            scored(spark, f"ml.ml_nan_{part}(a, b, kind)")
        given = spark.sql(f"SELECT ml.ml_nan_{part}(1, 2, 'x')").collect()
        assert given[0][0] is not None


def test_vectors_as_inputs(spark: SparkSession, training: DataFrame) -> None:
    from pyspark.ml.linalg import Vectors
    from pyspark.ml.regression import LinearRegression

    before = fitted(training, stages(LinearRegression(labelCol="y"))[:-1]).transform(training)
    model = fitted(before, [LinearRegression(labelCol="y", maxIter=3)])
    version = register("ml_of_vectors", model, before.select("features"))
    promote(spark, "ml_of_vectors", version, expected=None, reason="first")
    width = model.stages[0].coefficients.size
    [[given]] = spark.sql(f"SELECT ml.ml_of_vectors(array_repeat(0.5D, {width}))").collect()
    assert given == model.stages[0].predict(Vectors.dense([0.5] * width))


def test_a_version_whose_files_are_gone(spark: SparkSession, training: DataFrame) -> None:
    [row] = spark.sql("SELECT source FROM ml.model_aliases WHERE model = 'ml_line'").collect()
    shutil.rmtree(Path(urlparse(row.source).path))
    assert scored(spark, "ml.ml_line(a, b, kind)"), "what is loaded scores on"
    spark_ml._version.cache_clear()
    with pytest.raises(PenstockError, match=r"does not load: its files are not there(.|\n)*model_files/ml_line/1"):
        scored(spark, "ml.ml_line(a, b, kind)")


def test_rows_that_a_stage_drops_are_told_when_it_is_registered(spark: SparkSession, training: DataFrame) -> None:
    from pyspark.ml.regression import LinearRegression

    model = fitted(training, stages(LinearRegression(labelCol="y", maxIter=1), invalid="skip"))
    version = register("ml_skip", model, training.select(*INPUTS))
    with pytest.raises(InvalidDefinitionError, match="StringIndexerModel with handleInvalid='skip' drops rows"):
        promote(spark, "ml_skip", version, expected=None, reason="first")
