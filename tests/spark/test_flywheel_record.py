"""Predictions, features as seen and feedback: each row is added once, or refused before anything is written."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from registered import register

from penstock.errors import PenstockError
from penstock.monitoring.record.ids import prediction_id, prediction_id_sql
from penstock.monitoring.record.log import log_feedback, log_predictions
from penstock.monitoring.record.tables import FEEDBACK, PREDICTIONS, ensure

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

MODEL = "wheel"
START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def known(spark: SparkSession) -> None:
    """A model with two versions in the registry, and the tables."""
    register(MODEL, versions=2)
    ensure(spark, PREDICTIONS)
    ensure(spark, FEEDBACK)


def scored(ids: range, *, at: datetime = START) -> pd.DataFrame:
    """A prediction an id."""
    rows = [
        {"at": at + timedelta(minutes=i), "entity": {"unit": i}, "request_id": f"r{i}", "prediction": i / 8}
        for i in ids
    ]
    return pd.DataFrame(rows)


def commits(spark: SparkSession, table: str) -> int:
    """How many commits a table has had."""
    return spark.sql(f"DESCRIBE HISTORY {table}").count()


def stored(spark: SparkSession, at: datetime) -> list[str]:
    """The ids of the predictions of the days that follow."""
    held = spark.table(PREDICTIONS.name).where(f"model = '{MODEL}'")
    rows = held.select("prediction_id", "at").toPandas()
    times = rows["at"].dt.tz_localize("UTC")
    return rows[(times >= at) & (times < at + timedelta(days=9))]["prediction_id"].tolist()


def test_ids_are_the_same_in_sql(spark: SparkSession, ansi: None) -> None:
    draw = random.Random(7)

    def text() -> str:
        spans = ((1, 127), (0xA0, 0x2FFF), (0x1F300, 0x1F600))
        return "".join(chr(draw.randint(*draw.choice(spans))) for _ in range(draw.randint(0, 9)))

    rows = []
    for _ in range(300):
        at = datetime(1900, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw.randrange(2 * 10**16))
        entity = {text(): draw.choice([text(), str(draw.randrange(99))]) for _ in range(draw.randint(1, 3))}
        rows.append((text(), draw.randint(1, 2**31 - 1), entity, at, draw.choice([None, text()])))
    types = "model STRING, version INT, entity MAP<STRING, STRING>, at TIMESTAMP, request_id STRING"
    frame = spark.createDataFrame(rows, types).selectExpr("*", f"{prediction_id_sql()} AS id")
    assert [row["id"] for row in frame.collect()] == [prediction_id(*row) for row in rows]


def test_what_is_logged_again_adds_nothing(spark: SparkSession) -> None:
    at = START + timedelta(days=10)
    first = scored(range(20), at=at)
    before = commits(spark, PREDICTIONS.name)
    told = {"model": MODEL, "version": 1, "inputs": {"flights": 12}}
    assert log_predictions(spark, pd.concat([first, first[:5]]), **told) == 20, "twice in one batch"
    assert log_predictions(spark, first, **told) == 0
    assert log_predictions(spark, scored(range(15, 25), at=at), **told) == 5, "some of it"
    arrow = pa.Table.from_pandas(scored(range(23, 26), at=at))
    assert log_predictions(spark, arrow, **told) == 1
    assert log_predictions(spark, spark.createDataFrame(arrow), **told) == 0
    assert log_predictions(spark, first[:0].assign(at=pd.Series(dtype="datetime64[us, UTC]")), **told) == 0
    assert commits(spark, PREDICTIONS.name) == before + 3, "one a call, and none where nothing is new"
    ids = stored(spark, at)
    assert sorted(ids) == sorted(
        prediction_id(MODEL, 1, {"unit": i}, at + timedelta(minutes=i), f"r{i}") for i in range(26)
    )
    row = spark.table(PREDICTIONS.name).where(f"prediction_id = '{ids[0]}'").first()
    assert row is not None
    assert (row["role"], row["inputs"], row["version"]) == ("live", {"flights": 12}, 1)


def test_writers_at_once_lose_and_double_nothing(spark: SparkSession) -> None:
    at = START + timedelta(days=20)
    batches = [range(60), range(30, 90), range(60), range(80, 120)]
    ready = threading.Barrier(len(batches))
    counts: list[int] = []
    failed: list[BaseException] = []

    def write(ids: range) -> None:
        session = spark.newSession()
        ready.wait()
        try:
            counts.append(log_predictions(session, scored(ids, at=at), model=MODEL, version=1))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(ids,)) for ids in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    ids = stored(spark, at)
    assert (len(ids), len(set(ids)), sum(counts)) == (120, 120, 120)


def test_rows_are_only_added(spark: SparkSession) -> None:
    for statement in ("UPDATE {} SET version = 2", "DELETE FROM {} WHERE version = 1"):
        with pytest.raises(Exception, match="DELTA_CANNOT_MODIFY_APPEND_ONLY"):
            spark.sql(statement.format(PREDICTIONS.name))


def test_times_without_a_zone_are_read_as_is_said(spark: SparkSession) -> None:
    at = START + timedelta(days=40)
    local = scored(range(2), at=at)
    local["at"] = local["at"].dt.tz_convert("Asia/Kolkata").dt.tz_localize(None)
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        assert log_predictions(spark, local, model=MODEL, version=1, zone="Asia/Kolkata") == 2
        naive = spark.createDataFrame(local).withColumn("at", _cast("at", "TIMESTAMP_NTZ"))
        assert log_predictions(spark, naive, model=MODEL, version=1, zone="Asia/Kolkata") == 0
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)
    assert set(stored(spark, at)) == {
        prediction_id(MODEL, 1, {"unit": i}, at + timedelta(minutes=i), f"r{i}") for i in range(2)
    }


def _cast(column: str, type: str) -> Any:
    from pyspark.sql.functions import col

    return col(column).cast(type)


FEEDBACK_ROW = {
    "feedback_id": ["f1"],
    "entity": [{"unit": 1}],
    "kind": ["landed"],
    "value": [1.0],
    "event_at": [START],
    "source": ["tower"],
}


def _predictions(change: Callable[[pd.DataFrame], Any], **told: Any) -> Callable[[SparkSession], int]:
    told = {"model": MODEL, "version": 1, **told}
    return lambda spark: log_predictions(spark, change(scored(range(3))), **told)


def _feedback(**changed: Any) -> Callable[[SparkSession], int]:
    columns = {name: values for name, values in (FEEDBACK_ROW | changed).items() if values is not None}
    return lambda spark: log_feedback(spark, pd.DataFrame(columns))


REFUSED: tuple[tuple[Callable[[SparkSession], int], str], ...] = (
    (_predictions(lambda rows: rows.rename(columns={"prediction": "predicton"})), "did you mean: prediction"),
    (_predictions(lambda rows: rows.drop(columns="at")), "column 'at' is not given"),
    (_predictions(lambda rows: rows.assign(prediction="high")), "'prediction' is STRING, not DOUBLE"),
    (_predictions(lambda rows: rows.assign(prediction=[1, "a", None])), "the rows have no types"),
    (_predictions(lambda rows: rows.assign(at="2026-01-01")), "'at' is STRING, not TIMESTAMP"),
    (_predictions(lambda rows: rows.assign(at=rows["at"].dt.tz_localize(None))), "times without a time zone"),
    (_predictions(lambda rows: rows.assign(at=[*rows["at"][:2], None])), "a row has no at: .*request_id"),
    (_predictions(lambda rows: rows.assign(entity=[{"unit": 1}, None, {"unit": 2}])), "a row has no entity"),
    (_predictions(lambda rows: rows.assign(entity=[{"unit": 1}, {}, {"unit": 2}])), "has an entity without a key"),
    (_predictions(lambda rows: rows.assign(entity=1.5)), "'entity' is DOUBLE, not MAP<STRING, STRING>"),
    (_predictions(lambda rows: rows, role="lives"), "has a role that there is not"),
    (_predictions(lambda rows: rows.assign(model=MODEL)), "'model' is given for all rows and as a column"),
    (_predictions(lambda rows: rows.assign(prediction_id="x")), "has a prediction_id that is not its own"),
    (_predictions(lambda rows: rows.assign(prediction_id=None)), "a row has no prediction_id"),
    (_predictions(lambda rows: rows, model="wheeel"), "unknown model 'wheeel'\n.*\n  did you mean: wheel"),
    (_predictions(lambda rows: rows, version=9), "model 'wheel' has no version 9\n.*\n  did you mean: 1, 2"),
    (_predictions(lambda rows: rows, zone="Mars/Base"), "unknown time zone 'Mars/Base'"),
    (
        _predictions(lambda rows: rows.assign(version=2**40 + 1), version=None),
        f"too large for its column: version {2**40 + 1}",
    ),
    (_predictions(lambda rows: rows.to_dict()), "rows are no dict"),
    (
        _predictions(lambda rows: pd.concat([rows, rows.assign(prediction=9.0)])),
        "prediction_id [0-9a-f-]{36} comes twice with different content",
    ),
    (_feedback(entity=None), "has neither prediction_id nor entity"),
    (_feedback(feedback_id=[None]), "a row has no feedback_id"),
    (_feedback(feedback_id=None), "neither feedback_id nor arrived_at"),
    (_feedback(value=[None]), "has neither value nor class"),
    (_feedback(source=None), "column 'source' is not given"),
)


def test_bad_input_is_refused_before_anything_is_written(spark: SparkSession) -> None:
    before = commits(spark, PREDICTIONS.name), commits(spark, FEEDBACK.name)
    for refused, said in REFUSED:
        with pytest.raises(PenstockError, match=said) as error:
            refused(spark)
        assert error.value.fix or error.value.near, said
    assert (commits(spark, PREDICTIONS.name), commits(spark, FEEDBACK.name)) == before


def test_what_is_stored_under_an_id_stays(spark: SparkSession) -> None:
    at = START + timedelta(days=60)
    log_predictions(spark, scored(range(3), at=at), model=MODEL, version=1)
    changed = scored(range(5), at=at).assign(prediction=[0.0, 1 / 8, 7.0, 3.0, 4.0])
    own = prediction_id(MODEL, 1, {"unit": 2}, at + timedelta(minutes=2), "r2")
    with pytest.raises(PenstockError, match=f"prediction_id {own} is in the table with other content"):
        log_predictions(spark, changed, model=MODEL, version=1)
    assert len(stored(spark, at)) == 3


def test_corrections_are_rows_of_their_own(spark: SparkSession) -> None:
    first = pd.DataFrame(
        {
            "entity": [{"unit": "c1"}],
            "kind": ["corrected"],
            "value": [1],
            "event_at": [START],
            "arrived_at": [START + timedelta(hours=1)],
        }
    )
    later = first.assign(value=[0], arrived_at=[START + timedelta(hours=2)])
    back = first.assign(arrived_at=[START + timedelta(hours=3)])
    assert [log_feedback(spark, rows, source="tower") for rows in (first, later, back, later, first)] == [1, 1, 1, 0, 0]
    named = pd.DataFrame(FEEDBACK_ROW | {"kind": ["named"]})
    assert [log_feedback(spark, named) for _ in range(2)] == [1, 0], "it arrived when it was logged first"
    held = spark.table(FEEDBACK.name).where("kind IN ('corrected', 'named')").orderBy("kind", "arrived_at").collect()
    assert [row["value"] for row in held] == [1.0, 0.0, 1.0, 1.0]
    with pytest.raises(PenstockError, match="feedback_id f1 is in the table with other content"):
        log_feedback(spark, named.assign(event_at=[START + timedelta(days=1)]))
