"""Upkeep of real Delta tables: what somebody has recorded stays, and what else is old goes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from penstock.engines.maintain import Clone, Upkeep, maintain, recorded_pins
from penstock.engines.reproduce import OLD_VERSIONS
from penstock.engines.spark import with_settings
from penstock.maintenance import Policy
from penstock.semantic.durations import Duration
from penstock.training_sets.record import Record, SpineRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

Found = tuple[dict[str, dict[int, str]], list[Clone]]
RETENTION = "spark.databricks.delta.retentionDurationCheck.enabled"
SUMS = {0: 45, 1: 145, 2: 245, 3: 345, 4: 445}


@pytest.fixture
def facts(spark: SparkSession) -> Iterator[str]:
    """A table of five versions, each of which holds files that no other one does."""
    spark.sql("CREATE SCHEMA upkeep")
    spark.sql("CREATE TABLE upkeep.facts USING DELTA AS SELECT id, id % 3 AS part FROM range(0, 10, 1, 2)")
    for _ in range(4):
        spark.sql("UPDATE upkeep.facts SET id = id + 10")
    yield "upkeep.facts"
    spark.sql("DROP SCHEMA upkeep CASCADE")


def pinned(spark: SparkSession, version: int, name: str = "upkeep.made") -> None:
    """A table that says it was made from a version of the facts."""
    spine = SpineRecord(f"SELECT * FROM upkeep.facts VERSION AS OF {version}", 10, "")
    record = Record("SELECT 1", {"upkeep.facts": version}, spine, {}, {}, {}, "0.1.0")
    properties = ", ".join(f"'{key}' = {json.dumps(value)}" for key, value in record.properties().items())
    spark.sql(f"CREATE OR REPLACE TABLE {name} USING DELTA TBLPROPERTIES ({properties}) AS SELECT 1 AS x")


def kept(spark: SparkSession, found: Found | None = None, *, dry_run: bool = False, **policy: Any) -> Upkeep:
    """What upkeep does, or would do; the session's settings are as before."""
    time.sleep(1.1)  # what has just ceased to be held gets older than the policy says
    declared = Policy("upkeep.facts", keep=Duration(1, "second"), **policy)
    retention = spark.conf.get(RETENTION, None)
    done = maintain(spark, declared, *(found or recorded_pins(spark)), dry_run=dry_run)
    assert done is not None
    assert spark.conf.get(RETENTION, None) == retention
    return done


def readable(spark: SparkSession) -> dict[int, int]:
    """The sum of each version that can be read."""
    sums = {}
    spark.catalog.clearCache()
    with with_settings(spark, OLD_VERSIONS):
        for version in SUMS:
            try:
                rows = spark.sql(f"SELECT id FROM upkeep.facts VERSION AS OF {version}").collect()
            except Exception as error:
                assert "FILE_NOT_EXIST" in str(error) or "does not exist" in str(error), error
            else:
                sums[version] = sum(row["id"] for row in rows)
    return sums


def files(spark: SparkSession, table: str) -> dict[str, bytes]:
    folder = Path(spark.sql(f"DESCRIBE DETAIL {table}").collect()[0]["location"].removeprefix("file:"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def state(spark: SparkSession, table: str) -> tuple[dict[str, bytes], int]:
    """Its files, and how many versions it has."""
    return files(spark, table), spark.sql(f"DESCRIBE HISTORY {table}").count()


def test_a_recorded_version_stays_until_nobody_records_it(spark: SparkSession, facts: str) -> None:
    pinned(spark, 1)
    done = kept(spark)
    assert readable(spark) == {1: SUMS[1], 4: SUMS[4]}
    assert done.kept == ["version 1 for training set upkeep.made"]
    spark.sql("DROP TABLE upkeep.made")
    assert kept(spark).kept == []
    assert readable(spark) == {4: SUMS[4]}


def test_records_of_several_tables_and_a_registered_model_stay(spark: SparkSession, facts: str) -> None:
    pinned(spark, 0)
    pinned(spark, 2, "upkeep.other")
    pinned(spark, 2, "upkeep.third")
    pins, clones = recorded_pins(spark)
    pins["upkeep.facts"][3] = "model m version 1"
    assert kept(spark, (pins, clones)).kept == [
        "version 0 for training set upkeep.made",
        "version 2 for training set upkeep.other, training set upkeep.third",
        "version 3 for model m version 1",
    ]
    assert readable(spark) == {v: SUMS[v] for v in (0, 2, 3, 4)}


def test_optimize_and_clustering_keep_it_too_and_a_dry_run_only_tells(spark: SparkSession, facts: str) -> None:
    pinned(spark, 1)
    found, before = recorded_pins(spark), state(spark, facts)
    policy: dict[str, Any] = {"optimize": True, "cluster_by": ("part",)}
    told = kept(spark, found, dry_run=True, **policy)
    assert state(spark, facts) == before
    done = kept(spark, found, **policy)
    assert done == told
    assert done.done[:2] == ["ALTER TABLE upkeep.facts CLUSTER BY (`part`)", "OPTIMIZE upkeep.facts"]
    assert [what.split()[0] for what in done.done] == ["ALTER", "OPTIMIZE", "VACUUM"]
    detail = spark.sql("DESCRIBE DETAIL upkeep.facts").collect()[0]
    assert (detail["clusteringColumns"], detail["numFiles"]) == (["part"], 1)
    assert readable(spark)[1] == SUMS[1]
    assert "ALTER TABLE" not in kept(spark, found, **policy).done[0]


def test_clones_keep_their_files_as_long_as_they_live(spark: SparkSession, facts: str) -> None:
    spark.sql("CREATE TABLE upkeep.clone SHALLOW CLONE upkeep.facts VERSION AS OF 2")
    spark.sql("CREATE TABLE upkeep.of_clone SHALLOW CLONE upkeep.clone")
    assert any("clone upkeep.clone" in what for what in kept(spark).kept)
    assert readable(spark) == {2: SUMS[2], 4: SUMS[4]}
    spark.sql("DROP TABLE upkeep.clone")
    assert any("clone upkeep.of_clone" in what for what in kept(spark).kept)
    assert spark.sql("SELECT sum(id) FROM upkeep.of_clone").collect()[0][0] == SUMS[2]
    spark.sql("DROP TABLE upkeep.of_clone")
    kept(spark)
    assert readable(spark) == {4: SUMS[4]}


def test_what_is_written_to_a_clone_and_its_end_leave_the_source_as_it_was(spark: SparkSession, facts: str) -> None:
    before = state(spark, facts)
    spark.sql("CREATE SCHEMA experiment")
    spark.sql("CREATE TABLE experiment.facts SHALLOW CLONE upkeep.facts")
    spark.sql("UPDATE experiment.facts SET id = 0")
    spark.sql("OPTIMIZE experiment.facts")
    policy = Policy("experiment.facts", optimize=True, keep=Duration(1, "second"))
    time.sleep(1.1)
    maintain(spark, policy, *recorded_pins(spark), dry_run=False)
    assert state(spark, facts) == before
    spark.sql("DROP SCHEMA experiment CASCADE")
    assert state(spark, facts) == before
    assert readable(spark) == SUMS


def test_a_table_that_is_not_there_is_passed_over(spark: SparkSession) -> None:
    assert maintain(spark, Policy("upkeep.none", optimize=True), {}, [], dry_run=False) is None
