"""A trained model as a SQL function: equal to scikit-learn, one version a query, moved by one path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.registry import mlflow_store
from penstock.registry.promote import live_version, promote
from penstock.trainers import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

TABLE = "default.scoring_training"


def build(numbers: Sequence[str], texts: Sequence[str]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return make_pipeline(
        ColumnTransformer([("t", encoder, list(texts)), ("n", "passthrough", list(numbers))]),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    )


def write_table(spark: SparkSession, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = 400
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), unit="h"),
            "carrier": random.choice(["AA", "UA", None], rows),
            "hour": random.integers(0, 24, rows),
            "delay": np.where(random.random(rows) < 0.2, np.nan, random.normal(0, 20, rows)),
        }
    )
    frame["late"] = (frame.hour + frame.delay.fillna(0) / 5 > 12).astype(int)
    spark.createDataFrame(frame).write.format("delta").mode("overwrite").saveAsTable(TABLE)
    return frame


def fit(spark: SparkSession, model: str) -> list[Any]:
    return train(
        spark.table(TABLE), build, model=model, label="late", time="at", baseline="carrier", leave_out=["id"]
    ).collect()


def test_train_registers_what_is_new_and_sql_scores_as_scikit_learn(spark: SparkSession) -> None:
    import mlflow

    frame = write_table(spark, seed=1)
    [first] = fit(spark, "scored")
    assert (first.version, live_version(spark, "scored")) == (1, 1)
    assert first.training_rows + first.held_out_rows == len(frame)
    assert first.auc > 0.9

    assert fit(spark, "scored") == [first], "the same rows and code were registered again"
    write_table(spark, seed=1)
    assert fit(spark, "scored") == [first], "a rewritten table with the same rows was registered again"

    estimator = mlflow.sklearn.load_model("models:/scored/1")
    inputs = frame[["carrier", "hour", "delay"]].astype({"hour": float})
    expected = estimator.predict_proba(inputs)[:, 1]
    scored = spark.sql(f"SELECT id, ml.scored(hour => hour, carrier => carrier, delay => delay) AS p FROM {TABLE}")
    assert scored.orderBy("id").toPandas().p.to_numpy() == pytest.approx(expected, abs=1e-12)

    run = mlflow.get_run(first.run_id)
    [dataset] = run.inputs.dataset_inputs
    assert dataset.dataset.name == f"{first.training_set}@v{first.training_set_version}"
    assert run.data.metrics["auc"] == first.auc


def test_open_sessions_see_a_moved_champion(spark: SparkSession) -> None:
    write_table(spark, seed=2)
    fit(spark, "moved")
    analyst = spark.newSession()
    call = f"SELECT SUM(ml.moved(carrier, hour, delay)) FROM {TABLE}"
    before = analyst.sql(call).collect()
    write_table(spark, seed=3)
    [second] = fit(spark, "moved")
    assert second.version == 2
    assert live_version(spark, "moved") == 1, "only a first version goes live by itself"

    with pytest.raises(InvalidRequestError, match="points to version 1, not to None"):
        promote(spark, "moved", 2, expected=None, reason="by mistake")
    write_table(spark, seed=2)
    assert analyst.sql(call).collect() == before
    promote(spark, "moved", 2, expected=1, reason="better")
    assert analyst.sql(call).collect() != before
    assert int(mlflow_store.client().get_model_version_by_alias("moved", "champion").version) == 2


def test_the_next_build_finishes_a_promotion_that_was_cut_short(spark: SparkSession) -> None:
    write_table(spark, seed=7)
    fit(spark, "resumed")
    # As if the process had died after the Delta commit.
    spark.sql("DROP FUNCTION ml.resumed")
    mlflow_store.client().delete_registered_model_alias("resumed", "champion")
    fit(spark, "resumed")
    assert spark.sql(f"SELECT COUNT(ml.resumed(carrier, hour, delay)) FROM {TABLE}").collect()[0][0] == 400
    assert int(mlflow_store.client().get_model_version_by_alias("resumed", "champion").version) == 1


def test_wrong_calls_fail_at_plan_time(spark: SparkSession) -> None:
    from pyspark.errors import AnalysisException

    write_table(spark, seed=4)
    fit(spark, "strict")
    for call, condition in (
        ("ml.strict(1, 2, 3, 4)", "WRONG_NUM_ARGS"),
        ("ml.strict(hour => 1, carier => 'x', delay => 2)", "UNRECOGNIZED_PARAMETER_NAME"),
        ("ml.strict('UA', array(1), 2)", "DATATYPE_MISMATCH"),
    ):
        with pytest.raises(AnalysisException, match=condition):
            spark.sql(f"SELECT {call}")


def test_bad_training_nodes(spark: SparkSession) -> None:
    write_table(spark, seed=5)
    table = spark.table(TABLE)
    with pytest.raises(UnknownNameError, match="did you mean: late"):
        train(table, build, model="bad", label="lat", time="at", baseline="carrier")
    with pytest.raises(InvalidDefinitionError, match="reads one Delta table"):
        no_table = spark.range(3).selectExpr("id late", "id at", "id carrier")
        train(no_table, build, model="bad", label="late", time="at", baseline="carrier")
    with pytest.raises(InvalidDefinitionError, match="training set is empty"):
        spark.table(TABLE).limit(0).write.format("delta").mode("overwrite").saveAsTable("default.scoring_empty")
        train(spark.table("default.scoring_empty"), build, model="bad", label="late", time="at", baseline="carrier")
