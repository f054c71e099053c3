"""Features as they were seen beside those of the tables: what differs, how often, and where."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from dbt_penstock.skew import skewed
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.record.feature_sets import declare_features, evolve
from penstock.monitoring.record.log import log_features

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT = datetime(2026, 3, 1, tzinfo=UTC)
SET, TABLE = "pirn", "default.pirn_again"


@pytest.fixture(scope="module")
def again(spark: SparkSession) -> pd.DataFrame:
    """What the tables say, of which some was seen otherwise."""
    draw = random.Random(3)
    declare_features(spark, SET, {"speed": "DOUBLE", "place": "STRING"})
    rows = [
        {
            "prediction_id": f"p{i:02}", "at": AT + timedelta(minutes=i), "speed": draw.choice([None, float(i)]),
            "place": draw.choice([None, "a", "b"]), "load": i % 7,
        }
        for i in range(40)
    ]  # fmt: skip
    given = pd.DataFrame(rows)
    seen = given.drop(columns="load").assign(speed=given["speed"] * (1 + 1e-12))
    seen.loc[3:5, "place"] = "c"
    seen.loc[[8], "speed"] = 7.5
    log_features(spark, SET, seen[:20])
    evolve(spark, SET, add={"load": "INT"})
    seen["load"] = given["load"].where(given["prediction_id"] != "p25", 100)
    log_features(spark, SET, seen[20:38])
    spark.createDataFrame(given).write.format("delta").mode("overwrite").saveAsTable(TABLE)
    return given


def asked(spark: SparkSession, **given: Any) -> list[tuple[Any, ...]]:
    def run_query(sql: str) -> Any:
        return SimpleNamespace(rows=spark.sql(sql).collect())

    usual: dict[str, Any] = {"without": [], "max_rate": 0, "feature_set": SET}
    columns = spark.table(TABLE).columns
    sql = skewed(TABLE, columns, run_query=run_query, **(usual | given))
    return sorted((tuple(row) for row in spark.sql(sql).collect()), key=repr)


@pytest.mark.usefixtures("again", "ansi")
def test_what_differs_is_told(spark: SparkSession) -> None:
    assert asked(spark) == [
        ("load", 18, 1, 1 / 18, "p25"),
        ("place", 38, 3, 3 / 38, "p03"),
        ("speed", 38, 1, 1 / 38, "p08"),
        (None, 40, 2, 0.05, "p38"),
    ]


@pytest.mark.usefixtures("again")
def test_some_may_differ(spark: SparkSession) -> None:
    assert [each[0] for each in asked(spark, max_rate=0.03)] == ["load", "place", None]
    assert [each[0] for each in asked(spark, max_rate=0.03, without=["place"])] == ["load", None]
    assert asked(spark, max_rate=0.5) == []


@pytest.mark.usefixtures("again")
def test_what_is_not_there_is_told(spark: SparkSession) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown feature set 'pirm'\n.*\n  did you mean: pirn"):
        asked(spark, feature_set="pirm")
    with pytest.raises(UnknownNameError, match="unknown feature 'sped'"):
        asked(spark, without=["sped"])
    with pytest.raises(InvalidRequestError, match="no feature is left"):
        asked(spark, without=["speed", "place", "load"])
    columns = ["prediction_id", "at", "speed", "place"]
    with pytest.raises(UnknownNameError, match="unknown column 'load'"):
        skewed(TABLE, columns, SET, [], 0, lambda sql: SimpleNamespace(rows=spark.sql(sql).collect()))
