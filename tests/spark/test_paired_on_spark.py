"""Champion beside challenger on Spark is what DuckDB says; tests/unit/monitoring compares that with other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import gated
import numpy as np
import pytest

from penstock.monitoring.gates.auc import areas
from penstock.monitoring.gates.paired import Scored, compare

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_a_comparison_is_that_of_duckdb(spark: SparkSession, ansi: None) -> None:
    frame = gated.rows(600)
    draw = np.random.default_rng(2)
    for name, noise in (("champion", 1.5), ("challenger", 0.5)):
        frame[name] = (1 / (1 + np.exp(-2 * frame.x_day - draw.normal(0, noise, len(frame))))).round(2)
    frame.loc[::17, "challenger"] = None
    frame.loc[::23, "segment"] = None
    connection = duckdb.connect()
    connection.register("compared_rows", frame)
    spark.createDataFrame(frame).createOrReplaceTempView("compared_rows")
    scored = Scored("compared_rows")
    for query in (
        lambda dialect: compare(scored, dialect, loss_name="log_loss", slices=["segment"]),
        lambda dialect: areas(scored, dialect),
    ):
        answer = connection.execute(query("duckdb").sql("duckdb"))
        names, there = [each[0] for each in answer.description], answer.fetchall()
        here = [tuple(row) for row in spark.sql(query("spark").sql("spark")).collect()]
        assert len(here) == len(there)
        for row, other in zip(sorted(here, key=str), sorted(there, key=str), strict=True):
            for name, value, expected in zip(names, row, other, strict=True):
                assert value == (pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected), name
    spark.catalog.dropTempView("compared_rows")
