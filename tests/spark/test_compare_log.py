"""A training set beside the same set from the log: equal where the model saw what the tables say, else told why not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from registered import register

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.record.feature_sets import declare_features, evolve
from penstock.monitoring.record.from_log import DIFFERS, EQUAL, LATE, NOT_FINAL, NOT_IN_SET, NOT_LOGGED, OLDER, REASONS
from penstock.monitoring.record.ids import prediction_id
from penstock.monitoring.record.labels import Labels
from penstock.monitoring.record.log import log_features, log_feedback, log_predictions
from penstock.project_from_log import Compared, compare
from penstock.project_training import TrainingSet
from penstock.steps import silently
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

sys.path.append(str(Path(__file__).parents[1] / "unit" / "training_sets"))

from worlds import TYPES, manifest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NINE = datetime(2026, 4, 1, 9, tzinfo=UTC)
MODEL, TABLE, SPINE = "log_again", "default.log_again", "default.log_again_spine"
FEATURES = ("thing.total over 30 minutes as total", "thing.mean over 2 hours as mean")
TRUTH = Labels("done", "1 hour", model=MODEL)


@pytest.fixture(scope="module")
def again(spark: SparkSession) -> pd.DataFrame:
    """The training set over thirty predictions, as a table."""
    events = pd.DataFrame(
        [
            (at, "ab"[at % 2], NINE + timedelta(minutes=at), NINE + timedelta(minutes=at + 1), at * 7 % 11)
            for at in range(-180, 180)
        ],
        columns=["id", "thing", "happened_at", "known_at", "n"],
    )
    spark.createDataFrame(events).write.format("delta").mode("overwrite").saveAsTable("default.log_again_events")
    spark.sql("SELECT *, happened_at AS early_at FROM default.log_again_events").createOrReplaceTempView("events")
    asked = pd.DataFrame(
        [
            {"at": NINE + timedelta(minutes=5 * at), "thing": "ab"[at % 2], "is_done": at % 3 % 2}
            for at in range(30)
        ]
    )  # fmt: skip
    entities = [{"thing": thing} for thing in asked["thing"]]
    asked["prediction_id"] = [
        prediction_id(MODEL, 1, entity, at) for entity, at in zip(entities, asked["at"], strict=True)
    ]
    spark.createDataFrame(asked).write.format("delta").mode("overwrite").saveAsTable(SPINE)
    register(MODEL, versions=1)
    rows = asked[["at"]].assign(entity=entities, prediction=0.5)
    log_predictions(spark, rows, model=MODEL, version=1)
    told = asked[["prediction_id"]].assign(
        kind="done", value=asked["is_done"], event_at=asked["at"] + timedelta(minutes=30),
        arrived_at=asked["at"] + timedelta(minutes=40), source="bench",
    )  # fmt: skip
    log_feedback(spark, told)
    made = spark.sql(compile_training_set(*request(), "spark").sql)
    made.write.format("delta").mode("overwrite").saveAsTable(TABLE)
    frame = spark.table(TABLE).toPandas().sort_values("at", ignore_index=True)
    return frame.assign(at=asked["at"])


def request() -> tuple[Any, TrainingSetRequest]:
    return manifest(), TrainingSetRequest(Spine(SPINE, "at", {"thing": "thing"}), FEATURES, types=TYPES)


def seen(again: pd.DataFrame) -> pd.DataFrame:
    return again[["prediction_id", "at", "total", "mean"]].assign(staleness=0.0)


def compared(spark: SparkSession, feature_set: str, **more: Any) -> Compared:
    built = TrainingSet("log_again", TABLE, int(spark.sql(f"DESCRIBE HISTORY {TABLE}").first()["version"]))
    given: dict[str, Any] = {"without": (), "label": None, "labels": None}
    return compare(spark, built, request(), feature_set, doing=silently, **(given | more))


def counts(found: Compared) -> dict[str, dict[str, int]]:
    """Of each column the reasons that there are."""
    return {each["feature"]: {why: each[why] for why in REASONS if each[why]} for each in found.columns}


def test_what_a_model_saw_is_the_training_set(spark: SparkSession, again: pd.DataFrame) -> None:
    declare_features(spark, "unskewed", {"total": "BIGINT", "mean": "DOUBLE"})
    log_features(spark, "unskewed", seen(again))
    found = compared(spark, "unskewed", label="is_done", labels=TRUTH)
    assert counts(found) == {name: {EQUAL: 30} for name in ("total", "mean", "is_done")}
    assert found.is_explained
    assert all(each["example"] is None for each in found.columns)


def test_each_difference_is_told_with_its_reason(spark: SparkSession, again: pd.DataFrame) -> None:
    declare_features(spark, "skewed", {"total": "BIGINT"})
    first, rest = seen(again)[:10].drop(columns="mean"), seen(again)[10:28].reset_index(drop=True)
    log_features(spark, "skewed", first)
    evolve(spark, "skewed", add={"mean": "DOUBLE"})
    # Seven and a half minutes before the row's time, as pandas counts it; the tables know more by now.
    events = spark.table("default.log_again_events").toPandas()
    late, wrong = [2, 5], [7, 11, 12]
    for place in late:
        row = rest.loc[place]
        now = row["at"] - timedelta(minutes=7.5)
        thing = again.loc[again["prediction_id"] == row["prediction_id"], "thing"].item()
        utc = events.assign(**{name: events[name].dt.tz_localize("UTC") for name in ("happened_at", "known_at")})
        known = utc[(utc["thing"] == thing) & (utc["known_at"] <= now)]
        total = known.loc[known["happened_at"] > now - timedelta(minutes=30), "n"].sum()
        mean = known.loc[known["happened_at"] > now - timedelta(hours=2), "n"].mean()
        assert (total, mean) != (row["total"], row["mean"])
        rest.loc[place, ["total", "mean", "staleness"]] = [total, mean, 450.0]
    rest.loc[wrong, "total"] += 1
    stranger = rest[:1].assign(prediction_id="elsewhere")
    log_features(spark, "skewed", pd.concat([rest, stranger]).astype({"total": "int64"}))

    found = compared(spark, "skewed", label="is_done", labels=TRUTH)
    assert counts(found) == {
        "total": {EQUAL: 23, DIFFERS: 3, LATE: 2, NOT_LOGGED: 2, NOT_IN_SET: 1},
        "mean": {EQUAL: 16, LATE: 2, OLDER: 10, NOT_LOGGED: 2, NOT_IN_SET: 1},
        "is_done": {EQUAL: 28, NOT_LOGGED: 2, NOT_IN_SET: 1},
    }
    assert not found.is_explained
    example = found.columns[0]["example"]
    ids = rest.loc[wrong, ["prediction_id", "total"]].sort_values("prediction_id").iloc[0]
    assert (example["prediction_id"], example["seen"], example["given"]) == (
        ids["prediction_id"], str(ids["total"]), str(ids["total"] - 1),
    )  # fmt: skip
    assert compared(spark, "skewed", without=["total"]).is_explained

    open_still = Labels("done", "9000 days", model=MODEL)
    labels = counts(compared(spark, "skewed", label="is_done", labels=open_still))["is_done"]
    assert labels == {NOT_FINAL: 28, NOT_LOGGED: 2, NOT_IN_SET: 1}
    other = Labels("other", "1 hour", model=MODEL)
    assert counts(compared(spark, "skewed", label="is_done", labels=other))["is_done"][DIFFERS] == 28


@pytest.mark.usefixtures("again")
def test_what_cannot_be_compared_is_told(spark: SparkSession) -> None:
    declare_features(spark, "odd", {"total": "BIGINT", "weight": "DOUBLE"})
    with pytest.raises(UnknownNameError, match="unknown feature set 'od'"):
        compared(spark, "od")
    with pytest.raises(UnknownNameError, match="unknown column 'weight'"):
        compared(spark, "odd")
    with pytest.raises(UnknownNameError, match="unknown column 'done'"):
        compared(spark, "odd", without=["weight"], label="done", labels=TRUTH)
    with pytest.raises(InvalidRequestError, match="a label is a column of the set and a kind of feedback"):
        compared(spark, "odd", without=["weight"], label="is_done")
    with pytest.raises(InvalidRequestError, match="it is not built"):
        compare(
            spark, TrainingSet("x", TABLE), request(), "odd", without=(), label=None, labels=None, doing=silently
        )  # fmt: skip
