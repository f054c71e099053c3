"""Edges, tiles and windows on Spark, ANSI mode on and off: what DuckDB says of the same rows, in one scan of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from sqlglot import exp

from penstock.monitoring.drift import Baseline, Tiling, Window, edges, moments, moving, tiles
from penstock.monitoring.drift.root_cause import Shape, root_cause
from tests.unit.monitoring.tiled import CONNECTION, KINDS, build_edges, frame, rows_of, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.usefixtures("ansi")
BASELINE = Baseline("tiled_base", KINDS, "tiled_base", values=5, levels=2)
TABLES = ("tiled_base", "tiled_now")


@pytest.fixture(scope="module")
def tiling(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiling]:
    """The same rows and edges on both engines."""
    folder: Path = tmp_path_factory.mktemp("tiled")
    store("tiled_base", frame(np.random.default_rng(1), 500), np.random.default_rng(2))
    store("tiled_now", frame(np.random.default_rng(3), 300, shift=0.5), np.random.default_rng(4))
    edges_id, features = build_edges("tiled_base", name="tiled_edges", values=5, levels=2)
    for name in (*TABLES, "tiled_edges"):
        CONNECTION.execute(f"COPY {name} TO '{folder}/{name}.parquet'")
        spark.read.parquet(f"{folder}/{name}.parquet").createOrReplaceTempView(name)
    yield Tiling("tiled_edges", edges_id, features, "at", version="version", segments=("shop", "vip"))
    for name in (*TABLES, "tiled_edges"):
        spark.catalog.dropTempView(name)


def assert_same(spark: SparkSession, query: Any, keys: int) -> None:
    """The rows of a query on both engines, whose first columns tell them apart."""
    found = [tuple(row) for row in spark.sql(query("spark").sql("spark")).collect()]
    expected = [tuple(row.values()) for row in rows_of(query("duckdb"))]
    assert len(found) == len(expected) > 0
    by_key = {tuple(map(str, row[:keys])): row[keys:] for row in found}
    assert len(by_key) == len(found)
    for row in expected:
        for one, other in zip(by_key[tuple(map(str, row[:keys]))], row[keys:], strict=True):
            assert one == (pytest.approx(other, rel=1e-9, abs=1e-9) if isinstance(other, float) else other), row


def test_edges(spark: SparkSession, tiling: Tiling) -> None:
    assert_same(spark, lambda dialect: edges(BASELINE, dialect), keys=4)


def test_tiles(spark: SparkSession, tiling: Tiling) -> None:
    assert_same(spark, lambda dialect: tiles("tiled_now", tiling, dialect), keys=7)


def test_windows(spark: SparkSession, tiling: Tiling) -> None:
    for name in ("base", "now"):
        query = tiles(f"tiled_{name}", tiling, "duckdb").sql("duckdb")
        CONNECTION.execute(f"CREATE OR REPLACE TABLE tiled_{name}_tiles AS {query}")
        rows = CONNECTION.execute(f"SELECT * FROM tiled_{name}_tiles").fetchall()
        kinds = (
            "edges_id STRING, bucket TIMESTAMP, version INT, segment STRING, value STRING, feature STRING, bin INT,"
            " n BIGINT, total DOUBLE, squares DOUBLE"
        )
        spark.createDataFrame(rows, kinds).createOrReplaceTempView(f"tiled_{name}_tiles")
    reference, current = (Window(f"tiled_{name}_tiles", tiling.edges_id) for name in ("base", "now"))
    keys = ("version", "segment", "value", "feature")

    def counted(dialect: Any) -> Any:
        names = ("window_end", *keys, "position", "width")
        inner = moving("tiled_edges", reference, current, dialect, size=3, keys=keys).relation
        assert not isinstance(inner, str)
        sums = [exp.alias_(exp.func("SUM", exp.column(side)), side) for side in ("n", "m")]
        return exp.select(*names, *sums).from_(inner.subquery("pairs")).group_by(*names)

    assert_same(spark, counted, keys=7)
    assert_same(spark, lambda dialect: moments("tiled_edges", current, dialect, keys=keys), keys=4)
    for shape in get_args(Shape):
        assert_same(spark, lambda dialect, shape=shape: root_cause(current, dialect, shape=shape, keys=keys), keys=4)
    for name in ("base", "now"):
        spark.catalog.dropTempView(f"tiled_{name}_tiles")


def test_one_scan_of_the_rows(spark: SparkSession, tiling: Tiling) -> None:
    for query in (edges(BASELINE, "spark"), tiles("tiled_base", tiling, "spark")):
        plan = spark.sql(query.sql("spark"))._jdf.queryExecution().sparkPlan().toString()
        assert len(re.findall(r"FileScan parquet.*tiled_base\.parquet", plan)) == 1
    assert "BroadcastHashJoin" in plan, "edges go to the rows, not rows to the edges"
