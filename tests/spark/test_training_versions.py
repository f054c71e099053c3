"""Corrections, deletes and time zones on Spark, with ANSI mode on and off: by the oracles that DuckDB is held to."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from penstock.training_sets import TrainingSetRequest, compile_training_set

sys.path.append(str(Path(__file__).parents[1] / "unit" / "training_sets"))

from bi import compared, equal, random_requests, tamed
from engine import seconds, table_rows
from frames import frame_of, views
from histories import ANSWERS, COLUMNS, History, apart, compare_all, merged, random_history
from test_same_as_bi import VERSIONED
from versioned import SPINE, TYPES, versioned_manifest
from zones import ASKED, DAYS, HITS, compiled, expected, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def histories(spark: SparkSession) -> Iterator[list[History]]:
    """Forty random histories side by side, as temporary views."""
    found = apart(tamed(random_history(Random(seed), most=9)) for seed in range(40))
    whole = merged(found)
    with views({t: frame_of(spark, kinds, table_rows(kinds, getattr(whole, t))) for t, kinds in COLUMNS.items()}):
        yield found


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize(("inclusive", "typed"), [(False, True), (True, False)])
def test_all_features_in_one_statement(
    spark: SparkSession, histories: list[History], inclusive: bool, typed: bool
) -> None:
    request = TrainingSetRequest(SPINE, tuple(ANSWERS), inclusive=inclusive, types=TYPES if typed else {})
    named = spark.sql(compile_training_set(versioned_manifest(), request, "spark").sql)
    rows = named.withColumn("at", named["at"].cast("timestamp_ntz")).collect()
    compare_all(histories, seconds([tuple(row) for row in rows]), tuple(ANSWERS), inclusive=inclusive)


@pytest.mark.usefixtures("ansi", "histories")
@pytest.mark.parametrize("as_known", [True, False])
def test_a_training_row_knows_what_bi_knew_at_its_time(spark: SparkSession, as_known: bool) -> None:
    def run(sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in spark.sql(sql).collect()]

    values = [
        value
        for asked in random_requests(Random(9), VERSIONED, 4 if as_known else 2)
        for value in compared(versioned_manifest(), TYPES, asked, run, "spark", as_known=as_known)
    ]
    assert len(values) > 300
    differ = [v for v in values if not equal(v[1], v[2])]
    if as_known:
        assert not differ, differ[:5]
    else:
        assert len(differ) > 0.2 * sum(bool(mine or theirs) for _, mine, theirs in values)


def test_versions_known_at_one_time_fail_without_a_tie_break(spark: SparkSession) -> None:
    twice = "SELECT 'a' AS thing, TIMESTAMP '2020-01-01' AS rated_at, TIMESTAMP '2020-01-01' AS heard_at, FALSE AS gone"
    spark.sql(f"{twice}, 1 AS stars UNION ALL {twice}, 2").createOrReplaceTempView("told_twice")
    spark.sql("SELECT 'a' AS thing, TIMESTAMP '2020-01-02' AS at").createOrReplaceTempView("one_label")
    for text in ("thing.score to date", "thing.score over 9 days", "thing.ratings.stars"):
        spine = type(SPINE)("one_label", at="at", entities={"thing": "thing"})
        sql = compile_training_set(versioned_manifest(), TrainingSetRequest(spine, (text,), types=TYPES), "spark").sql
        with pytest.raises(Exception, match="ratings has versions of one thing that are known at one time"):
            spark.sql(sql.replace("FROM ratings", "FROM told_twice")).collect()


@pytest.mark.usefixtures("ansi")
@pytest.mark.parametrize("asked", ["INSTANT", "TIMESTAMP_NTZ"])
@pytest.mark.parametrize("hits", ["INSTANT", "TIMESTAMP_NTZ", "DATE"])
def test_times_are_those_of_the_session_which_is_utc(spark: SparkSession, hits: str, asked: str) -> None:
    moments = DAYS if hits == "DATE" else HITS
    assert _answers(spark, moments, hits, asked) == expected(moments, ASKED)


@pytest.mark.parametrize(("hits", "asked", "same"), [
    ("INSTANT", "INSTANT", True),
    ("TIMESTAMP_NTZ", "INSTANT", False),
    ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ", False),
])  # fmt: skip
def test_in_another_zone_only_instants_are_the_same(spark: SparkSession, hits: str, asked: str, same: bool) -> None:
    """Where clocks go forward an hour is missing, so that even two times without a zone are not as far apart."""
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        found = _answers(spark, HITS, hits, asked)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    assert (found == expected(HITS, ASKED)) is same


def _answers(spark: SparkSession, moments: list[Any], hits: str, asked: str) -> list[tuple[Any, ...]]:
    spark.sql(table(moments, hits, ("n", "hit_at"))).createOrReplaceTempView("hits")
    spark.sql(table(ASKED, asked, ("number", "at"))).createOrReplaceTempView("asked")
    return sorted(tuple(row) for row in spark.sql(compiled("spark")).collect())
