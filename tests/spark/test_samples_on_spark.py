"""Splits, samples and negatives on Spark: the rows that DuckDB gives, however the data is cut into partitions."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlglot import exp

from penstock.semantic.render import render
from penstock.training_sets import TrainingSetRequest, compile_training_set
from penstock.training_sets.hashing import hash_of

sys.path.append(str(Path(__file__).parents[1] / "unit" / "training_sets"))

from examples import (
    EVENTS,
    EXAMPLES,
    FEATURE,
    REQUESTS,
    SPINE,
    STOCK,
    Row,
    asked,
    database,
    number,
    ordered,
    random_events,
    random_examples,
    random_stock,
)
from frames import frame_of, views
from worlds import manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

TABLES = {
    "examples": (EXAMPLES, random_examples(Random(11), 400, things=8, places=25)),
    "stock": (STOCK, random_stock(Random(11), places=25)),
    "events": (EVENTS, random_events(Random(11), 300, places=25)),
}
EPOCH = datetime(1970, 1, 1)


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Row]]:
    """What DuckDB gives."""
    connection = database(*(rows for _, rows in TABLES.values()))
    return {name: asked(connection, **parts) for name, parts in REQUESTS.items()}


@pytest.fixture(params=[(1, "true"), (7, "false")], ids=["one-partition-ansi", "seven-partitions"])
def tables(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[None]:
    """The tables in so many partitions, in another order each time, and ANSI mode on or off."""
    partitions, ansi = request.param
    settings = {"spark.sql.ansi.enabled": ansi, "spark.sql.shuffle.partitions": str(partitions)}
    before = {name: spark.conf.get(name) for name in settings}
    frames = {}
    for name, (kinds, rows) in TABLES.items():
        values = [row.values() for row in rows]
        Random(partitions).shuffle(values)
        frames[name] = frame_of(spark, kinds, values).repartition(partitions)
    for name, value in settings.items():
        spark.conf.set(name, value)
    with views(frames):
        yield
    for name, value in before.items():
        spark.conf.set(name, value)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.usefixtures("tables")
def test_the_rows_of_duckdb(spark: SparkSession, expected: dict[str, list[Row]], name: str) -> None:
    request = TrainingSetRequest(SPINE, (FEATURE,), types={"events": {"n": "bigint"}}, **REQUESTS[name])
    found = spark.sql(compile_training_set(manifest(), request, "spark").sql)
    # the time as text in the session's zone, UTC, for Python would turn it into this machine's
    rows = [row.asDict() for row in found.withColumn("at", found["at"].cast("timestamp_ntz")).collect()]
    assert ordered(rows) == ordered(expected[name])
    assert found.columns == list(expected[name][0])


def test_classes_are_brought_to_the_rows(spark: SparkSession) -> None:
    """The largest class is not brought together in one task."""
    request = TrainingSetRequest(SPINE, (FEATURE,), types={"events": {"n": "bigint"}}, **REQUESTS["balance"])
    with views({name: frame_of(spark, kinds, []) for name, (kinds, _) in TABLES.items()}):
        plan = spark.sql("EXPLAIN " + compile_training_set(manifest(), request, "spark").sql).collect()[0][0]
    assert "BroadcastHashJoin" in plan
    assert "SortMergeJoin" not in plan


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("ansi", ["true", "false"])
def test_the_hash_is_that_of_python(spark: SparkSession, ansi: str, zone: str) -> None:
    rng = Random(3)
    values: dict[str, list[Any]] = {
        "TINYINT": [rng.randint(-128, 127) for _ in range(9)],
        "BIGINT": [-(2**63), 2**63 - 1, *(rng.randint(-(10**6), 10**6) for _ in range(9))],
        "DECIMAL(38,0)": [Decimal(rng.randint(-(10**37), 10**37)) for _ in range(9)],
        "STRING": ["", "-", "é", "e\u0301", "😀", "a\nb", *("".join(rng.choices("ab'\\:-", k=5)) for _ in range(9))],
        "BOOLEAN": [True, False],
        "DATE": [date(1, 1, 1), date(9999, 12, 31), *(date.fromordinal(rng.randint(1, 10**6)) for _ in range(9))],
        "TIMESTAMP": [
            # the clocks are set back: two instants of one text
            datetime(2020, 10, 25, 0, 30), datetime(2020, 10, 25, 1, 30, 0, 1), datetime(1, 1, 1),
            *(EPOCH + timedelta(microseconds=rng.randint(-(10**16), 10**16)) for _ in range(9)),
        ],
    }  # fmt: skip
    before = {name: spark.conf.get(name) for name in ("spark.sql.ansi.enabled", "spark.sql.session.timeZone")}
    try:
        spark.conf.set("spark.sql.ansi.enabled", ansi)
        spark.conf.set("spark.sql.session.timeZone", zone)
        for kind, of_kind in values.items():
            rows = [(i, v.replace(tzinfo=UTC) if kind == "TIMESTAMP" else v) for i, v in enumerate(of_kind)]
            frame = spark.createDataFrame([*rows, (len(rows), None)], f"n INT, v {kind}")
            frame.createOrReplaceTempView("hashed")
            wanted = render(hash_of([exp.column("v"), exp.column("v")], "split", 7, "spark"), "spark", pretty=False)
            found = [n for (n,) in spark.sql(f"SELECT {wanted} FROM hashed ORDER BY n").collect()]
            assert found == [number([v, v], "split", 7) for v in [*of_kind, None]], kind
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT", "DECIMAL(10,2)", "BINARY", "ARRAY<INT>"])
def test_values_without_a_stable_text_fail(spark: SparkSession, kind: str) -> None:
    wanted = render(hash_of([exp.column("v")], "split", 7, "spark"), "spark", pretty=False)
    value = "array(id)" if kind.startswith("ARRAY") else "cast(id AS STRING)" if kind == "BINARY" else "id"
    spark.sql(f"SELECT CAST({value} AS {kind}) AS v FROM range(2)").createOrReplaceTempView("hashed")
    with pytest.raises(Exception, match="is no whole number, text, boolean, date or time"):
        spark.sql(f"SELECT {wanted} FROM hashed").collect()
