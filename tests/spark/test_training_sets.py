"""Training sets on Spark against the same brute force as on DuckDB, with ANSI mode on and off."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

sys.path.append(str(Path(__file__).parents[1] / "unit" / "training_sets"))

from brute_force import ANSWERS, World, check, merged, random_world
from composite import PARTS, WANTED, of_two_columns, with_pairs
from engine import COLUMNS, duckdb_of, seconds, table_rows
from frames import frame_of, views
from worlds import TYPES, manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def world(spark: SparkSession) -> Iterator[World]:
    """Sixty random histories side by side, as temporary views."""
    world = merged(random_world(Random(seed), most=18) for seed in range(60))
    with views({t: frame_of(spark, kinds, table_rows(kinds, getattr(world, t))) for t, kinds in COLUMNS.items()}):
        yield world


@pytest.mark.parametrize("ansi", ["true", "false"])
@pytest.mark.parametrize(("inclusive", "typed"), [(False, True), (True, True), (False, False)])
def test_all_features_in_one_statement(
    spark: SparkSession, world: World, ansi: str, inclusive: bool, typed: bool
) -> None:
    before = spark.conf.get("spark.sql.ansi.enabled")
    spine = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
    request = TrainingSetRequest(spine, tuple(ANSWERS), inclusive=inclusive, types=TYPES if typed else {})
    sql = compile_training_set(manifest(), request, "spark").sql
    try:
        spark.conf.set("spark.sql.ansi.enabled", ansi)
        # the time as text in the session's zone, UTC, for Python would turn it into this machine's
        named = spark.sql(sql)
        rows = named.withColumn("at", named["at"].cast("timestamp_ntz")).collect()
    finally:
        spark.conf.set("spark.sql.ansi.enabled", before)
    check(world, seconds([tuple(row) for row in rows]), tuple(ANSWERS), inclusive=inclusive)


def test_keys_of_several_columns(spark: SparkSession) -> None:
    world = of_two_columns()
    spine = Spine("labels", at="at", entities={"pair": PARTS}, columns=("label_id",))
    request = TrainingSetRequest(spine, tuple(f"pair.{t} as f_{i}" for i, t in enumerate(WANTED)), types=TYPES)
    on_spark, on_duckdb = (compile_training_set(with_pairs(), request, dialect).sql for dialect in ("spark", "duckdb"))
    tables = {t: frame_of(spark, kinds, table_rows(kinds, getattr(world, t))) for t, kinds in COLUMNS.items()}
    with views(tables):
        found = sorted(repr(tuple(row)) for row in spark.sql(on_spark).collect())
    assert found == sorted(map(repr, duckdb_of(world).execute(on_duckdb).fetchall()))


def test_a_key_with_two_rows_is_no_key(spark: SparkSession, world: World) -> None:
    rows = spark.createDataFrame([("0p", "x"), ("0p", "y")], "place STRING, country STRING")
    rows.createOrReplaceTempView("two_places")
    request = TrainingSetRequest(Spine("labels", at="at", entities={"place": "place"}), ("place.places.country",))
    sql = compile_training_set(manifest(), request, "spark").sql.replace("FROM places", "FROM two_places")
    with pytest.raises(Exception, match="places has several rows of one place"):
        spark.sql(sql).collect()


def test_a_decimal_keeps_its_digits(spark: SparkSession) -> None:
    """Differences of decimals of the greatest scale are exact to the last digit."""
    spark.sql(
        "SELECT 1 AS id, 'a' AS thing, 'p' AS place, TIMESTAMP '2020-01-01' AS happened_at, "
        "TIMESTAMP '2020-01-01' AS known_at, CAST('0.123456789012345678901234567891' AS DECIMAL(38, 30)) AS d"
    ).createOrReplaceTempView("wide_events")
    spark.sql("SELECT 'a' AS thing, TIMESTAMP '2020-01-02' AS at").createOrReplaceTempView("one_label")
    request = TrainingSetRequest(
        Spine("one_label", at="at", entities={"thing": "thing"}),
        ("thing.worth over 7 days",),
        types={"events": {"d": "decimal(38,30)"}},
    )
    sql = compile_training_set(manifest(), request, "spark").sql.replace("FROM events", "FROM wide_events")
    found = spark.sql(sql).collect()[0]["thing__worth__7d"]
    assert str(found) == "0.123456789012345678901234567891"
