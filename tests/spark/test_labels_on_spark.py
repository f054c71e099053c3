"""Labels, predictive queries and refreshes on Spark: the rows that DuckDB gives, where they are proved."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import pytest

from penstock.training_sets import (
    Part,
    Spine,
    TrainingSetRequest,
    asked_of,
    compile_refresh,
    compile_training_set,
    freshness,
)

sys.path.append(str(Path(__file__).parents[1] / "unit" / "training_sets"))

from brute_force import World, merged, random_world
from engine import COLUMNS, duckdb_of, moment, table_rows
from frames import frame_of, views
from worlds import TYPES, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

WORLD = merged(random_world(Random(seed), most=18) for seed in range(40))
SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
LABELS = (
    "thing.total over next 7 seconds settled after 5 seconds",
    "place.kinds over next 9 seconds settled after 4 seconds",
    "place.largest over next 20 seconds settled after 5 seconds",
)
FEATURES = ("thing.total over 7 seconds", "place.kinds over 5 seconds", "thing.readings.value within 8 seconds")


@pytest.fixture(scope="module", autouse=True)
def tables(spark: SparkSession) -> Iterator[None]:
    with views({t: frame_of(spark, kinds, table_rows(kinds, getattr(WORLD, t))) for t, kinds in COLUMNS.items()}):
        yield


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) else value


def _sorted(rows: list[Any]) -> list[tuple[Any, ...]]:
    return sorted((tuple(map(_plain, row)) for row in rows), key=repr)


def _on_spark(spark: SparkSession, sql: str) -> list[tuple[Any, ...]]:
    frame = spark.sql(sql)
    times = [c for c, kind in frame.dtypes if kind == "timestamp"]
    frame = frame.withColumns({c: frame[c].cast("timestamp_ntz") for c in times}) if times else frame
    return _sorted([tuple(row) for row in frame.collect()])


def _on_duckdb(sql: str, world: World = WORLD) -> list[tuple[Any, ...]]:
    return _sorted(duckdb_of(world).execute(sql).fetchall())


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("inclusive", [False, True])
def test_labels(spark: SparkSession, inclusive: bool) -> None:
    request = TrainingSetRequest(SPINE, FEATURES, labels=LABELS, inclusive=inclusive, types=TYPES)
    ours, theirs = (compile_training_set(manifest(), request, dialect) for dialect in ("spark", "duckdb"))
    rows = _on_spark(spark, ours.sql)
    assert 0 < len(rows) < len(WORLD.labels)
    assert rows == _on_duckdb(theirs.sql)
    assert _on_spark(spark, str(ours.maturity)) == _on_duckdb(str(theirs.maturity))


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("at", ["labels.at", f"every 10 seconds from {moment(4)} to {moment(34)}"])
def test_a_predictive_query(spark: SparkSession, at: str) -> None:
    text = f"PREDICT exists(events where n > 0) OVER NEXT 7 seconds SETTLED AFTER 5 seconds FOR thing AT {at}"
    for part in get_args(Part):
        ours, theirs = (
            compile_training_set(*asked_of(manifest(), {"predict": text, "part": part}, TYPES, dialect), dialect).sql
            for dialect in ("spark", "duckdb")
        )
        rows = _on_spark(spark, ours)
        assert rows == _on_duckdb(theirs)
        assert rows


def test_a_refresh(spark: SparkSession) -> None:
    """What a third of the events can reach is computed; the rest, and what is new, is not lost."""
    request = TrainingSetRequest(SPINE, FEATURES, types=TYPES)
    spark.sql(compile_training_set(manifest(), request, "spark").sql).where("label_id % 5 > 0").createOrReplaceTempView(
        "built"
    )
    connection = duckdb_of(WORLD)
    connection.execute(
        f"CREATE TABLE built AS SELECT * FROM ({compile_training_set(manifest(), request, 'duckdb').sql}) "
        "WHERE label_id % 5 > 0"
    )
    changes = {"events": "SELECT * FROM events WHERE id % 3 = 0", "readings": "SELECT * FROM readings WHERE id % 7 = 0"}
    parts = {
        dialect: compile_refresh(
            manifest(), request, dialect, built="built", unique_key=("label_id",), changes=changes
        ).sql
        for dialect in ("spark", "duckdb")
    }
    rows = _on_spark(spark, parts["spark"])
    assert 0 < len(rows) < len(WORLD.labels)
    assert rows == _sorted(connection.execute(parts["duckdb"]).fetchall())
    spark.catalog.dropTempView("built")


def test_freshness(spark: SparkSession) -> None:
    request = TrainingSetRequest(SPINE, FEATURES, types=TYPES)
    ours, theirs = (freshness(manifest(), request, dialect).measured for dialect in ("spark", "duckdb"))
    assert _on_spark(spark, str(ours)) == _on_duckdb(str(theirs))
