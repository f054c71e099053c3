"""Labels are those that pandas finds, row by row, in random worlds; and the example of docs/record.md."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
import pytest
from registered import register

from penstock.errors import PenstockError
from penstock.monitoring.record.ids import prediction_id
from penstock.monitoring.record.labels import Labels, aside_sql, labels_sql
from penstock.monitoring.record.log import log_feedback, log_predictions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KIND = "spun"
MODELS = ("spinner", "spindle")
# test_logged_stream.py has its stream.
PAGE = re.sub(
    r"## In a stream.*?(?=\n## )", "", (Path(__file__).parents[2] / "docs" / "record.md").read_text(), flags=re.DOTALL
)
ROLES = ("live", "canary", "shadow")


@pytest.fixture(scope="module")
def world(spark: SparkSession) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and feedback on a coarse grid of hours, so that times meet; clocks that differ; ids of nothing."""
    draw = random.Random(11)
    for model in MODELS:
        register(model, versions=2)

    def entity() -> dict[str, str]:
        return {"reel": str(draw.randrange(6))} | ({"side": "l"} if draw.random() < 0.3 else {})

    predictions = {}
    for i in range(150):
        model, version, keys = draw.choice(MODELS), draw.randint(1, 2), entity()
        at, request = START + draw.randrange(60) * HOUR, str(i)
        id = prediction_id(model, version, keys, at, request)
        predictions[id] = {
            "prediction_id": id, "model": model, "version": version, "entity": keys, "at": at, "request_id": request,
            "role": draw.choice(ROLES), "prediction": draw.random(),
        }  # fmt: skip
    feedback = []
    for i in range(400):
        named = draw.random()
        about = draw.choice(list(predictions)) if named < 0.3 else "lost" if named < 0.4 else None
        event = START + draw.randrange(-5, 70) * HOUR
        feedback.append(
            {
                "feedback_id": f"{KIND}{i}", "prediction_id": about,
                "entity": None if about and draw.random() < 0.5 else entity(), "kind": draw.choice([KIND, "other"]),
                "value": float(i), "event_at": event, "arrived_at": event + draw.randrange(-1, 20) * HOUR,
                "source": "test",
            }
        )  # fmt: skip
    tables = pd.DataFrame(list(predictions.values())), pd.DataFrame(feedback)
    assert log_predictions(spark, tables[0]) == len(tables[0])
    assert log_feedback(spark, tables[1]) == len(tables[1])
    return tables


def expected(
    predictions: pd.DataFrame, feedback: pd.DataFrame, as_of: datetime, window: timedelta, horizon: timedelta
) -> tuple[pd.DataFrame, set[str]]:
    """The labels by prediction, and the feedback that is aside, by pandas."""
    predictions = predictions[predictions["at"] <= as_of].assign(keys=predictions["entity"].map(_keys))
    feedback = feedback[(feedback["arrived_at"] <= as_of) & (feedback["kind"] == KIND)]
    feedback = feedback.assign(keys=feedback["entity"].map(_keys))
    named = feedback.merge(predictions[["prediction_id", "at"]], on="prediction_id")
    free = feedback[feedback["prediction_id"].isna()].drop(columns="prediction_id")
    near = free.merge(predictions, on="keys")
    near = near[(near["event_at"] > near["at"]) & (near["event_at"] - near["at"] <= window)]
    near["channel"] = near["model"] + near["version"].astype(str).where(near["role"] == "shadow", "")
    near = near.sort_values(["at", "prediction_id"]).groupby(["feedback_id", "channel"]).tail(1)
    both = pd.concat([named, near])[["prediction_id", "feedback_id", "value", "event_at", "arrived_at"]]
    last = both.sort_values(["arrived_at", "event_at", "feedback_id"]).groupby("prediction_id").tail(1)
    labels = predictions[["prediction_id", "at"]].merge(last, on="prediction_id", how="left").set_index("prediction_id")
    labels["age"] = (as_of - labels["at"]).dt.total_seconds()
    labels["matured"] = labels["at"] + horizon <= as_of
    return labels, set(feedback["feedback_id"]) - set(both["feedback_id"])


def _keys(entity: dict[str, str] | None) -> str | None:
    return None if entity is None else str(sorted(entity.items()))


def test_labels_are_those_that_pandas_finds(spark: SparkSession, world: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    skewed = 0
    for hours, window, horizon in ((30, 6, 6), (45, 1, 12), (200, 24, 240)):
        as_of = START + hours * HOUR
        asked = Labels(KIND, f"{horizon} hours", f"{window} hours", as_of)
        labels, aside = expected(*world, as_of, window * HOUR, horizon * HOUR)
        rows = spark.sql(labels_sql(asked)).where(f"prediction_id IN ({', '.join(map(repr, labels.index))})")
        found = rows.toPandas().set_index("prediction_id").loc[labels.index]
        assert spark.sql(labels_sql(asked)).where("prediction_id = 'lost'").count() == 0
        pd.testing.assert_series_equal(found["label"], labels["value"], check_names=False)
        for column in ("event_at", "arrived_at"):
            times = found[column].dt.tz_localize("UTC")
            pd.testing.assert_series_equal(times, labels[column], check_names=False, check_dtype=False)
        assert found["age"].tolist() == labels["age"].tolist()
        assert found["matured"].tolist() == labels["matured"].tolist()
        before = (labels["event_at"] < labels["at"]).where(labels["value"].notna(), None)
        assert found["skewed"].tolist() == before.tolist()
        skewed += int((before == True).sum())  # noqa: E712
        assert {row["feedback_id"] for row in spark.sql(aside_sql(asked)).collect()} == aside
        assert 0 < labels["value"].notna().sum() < len(labels)
    assert skewed


def test_feedback_of_nothing_is_aside_with_its_reason(
    spark: SparkSession, world: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    asked = Labels(KIND, "6 hours", as_of=START + 200 * HOUR)
    counted = spark.sql(f"SELECT reason, COUNT(*) FROM ({aside_sql(asked)}) GROUP BY reason").collect()
    reasons = {row[0]: row[1] for row in counted}
    _, feedback = world
    assert reasons["unknown prediction"] == ((feedback["prediction_id"] == "lost") & (feedback["kind"] == KIND)).sum()
    assert reasons["no prediction in the window"]


@pytest.fixture
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry that has no model: that of the run has those of the demo as soon as a test has built it."""
    before = mlflow.get_tracking_uri()
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri(before)


@pytest.mark.usefixtures("own_registry")
def test_the_page(spark: SparkSession) -> None:
    register("arrival_delay", versions=3)
    names: dict[str, Any] = {"spark": spark}
    printed: list[str] = []
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, names)
        printed.append(code)
    assert len(printed) >= 4
    shown = PAGE[PAGE.index("| unit | label |") :].split("\n\n", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown if not line.startswith("|---")]
    # Those of the demo, which logs predictions of this model too, are of other keys.
    found = names["labels"].where("unit IS NOT NULL").orderBy("unit").collect()
    assert [list(found[0].asDict())] + [[_shown(value) for value in row] for row in found] == rows
    refused = re.search(r"```\n(unknown model.*?)```", PAGE, re.DOTALL)
    assert refused is not None
    with pytest.raises(PenstockError) as error:
        log_predictions(spark, names["rows"], model="arival_delay", version=3)
    assert str(error.value).splitlines()[:2] == refused[1].splitlines()[:2]


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "NULL" if value is None else str(value)
