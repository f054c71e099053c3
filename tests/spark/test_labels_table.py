"""A table of labels that is kept up has the rows of one that is built whole, whatever is logged in whatever order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
from registered import register

from penstock.monitoring.record.ids import prediction_id
from penstock.monitoring.record.labels import Labels, Versions, labels_table_sql
from penstock.monitoring.record.log import log_feedback, log_predictions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MODEL, KIND = "weaver", "woven"
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASKED = Labels(KIND, "6 hours", model=MODEL)
TABLE = "weaver_labels"


def test_kept_up_is_as_built_whole(spark: SparkSession) -> None:
    register(MODEL, versions=1)
    draw = random.Random(5)
    predictions, feedback = drawn(draw)
    built: Versions | None = None
    touched = []
    for _ in range(5):
        # The last ones of both may name each other: feedback comes before its prediction, and the other way round.
        some, more = (draw.sample(rows, 30) for rows in (predictions, feedback))
        log_predictions(spark, pd.DataFrame(some), model=MODEL, version=1)
        log_feedback(spark, pd.DataFrame(more), source="test")
        now = versions(spark)
        rows = spark.sql(labels_table_sql(ASKED, now, built)).toPandas()
        touched.append(len(rows))
        keep_up(spark, rows, new=built is None)
        whole = spark.sql(labels_table_sql(ASKED, now)).toPandas()
        pd.testing.assert_frame_equal(sorted_rows(spark.table(TABLE).toPandas()), sorted_rows(whole))
        built = now
    assert built is not None
    assert spark.sql(labels_table_sql(ASKED, built, built)).count() == 0
    assert whole["label"].notna().sum() > 20
    assert touched[-1] < len(whole)


def drawn(draw: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    predictions: list[dict[str, Any]] = []
    while len(predictions) < 100:
        keys, at, request = {"loom": str(draw.randrange(25))}, START + draw.randrange(48) * HOUR, str(len(predictions))
        predictions.append({"entity": keys, "at": at, "request_id": request, "prediction": draw.random()})
    feedback: list[dict[str, Any]] = []
    while len(feedback) < 100:
        of = draw.choice(predictions)
        named = prediction_id(MODEL, 1, of["entity"], of["at"], of["request_id"]) if draw.random() < 0.3 else None
        event = START + draw.randrange(60) * HOUR
        feedback.append(
            {
                "feedback_id": f"{KIND}{len(feedback)}", "prediction_id": named,
                "entity": None if named else of["entity"], "kind": KIND, "value": float(len(feedback)),
                "event_at": event, "arrived_at": event + draw.randrange(20) * HOUR,
            }
        )  # fmt: skip
    return predictions, feedback


def versions(spark: SparkSession) -> Versions:
    found = (spark.sql(f"DESCRIBE HISTORY ml.{name} LIMIT 1").first() for name in ("predictions", "feedback"))
    return Versions(*(int(row["version"]) for row in found if row is not None))


def keep_up(spark: SparkSession, rows: pd.DataFrame, *, new: bool) -> None:
    """As dbt's merge does."""
    given = spark.createDataFrame(rows.assign(entity=rows["entity"].map(str)), schema_of(spark))
    if new:
        given.write.format("delta").mode("overwrite").saveAsTable(TABLE)
        return
    from delta.tables import DeltaTable

    held = DeltaTable.forName(spark, TABLE).alias("held")
    merge = held.merge(given.alias("new"), "held.prediction_id = new.prediction_id")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()


def schema_of(spark: SparkSession) -> str:
    types = spark.sql(labels_table_sql(ASKED, versions(spark))).dtypes
    return ", ".join(f"`{name}` {'string' if name == 'entity' else type}" for name, type in types)


def sorted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    told = rows.drop(columns=["predictions_version", "feedback_version"])
    told = told.assign(entity=told["entity"].map(str), skewed=told["skewed"].astype("object"))
    return told.sort_values("prediction_id").reset_index(drop=True)
