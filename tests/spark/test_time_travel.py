from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.engines.spark import run
from penstock.semantic.as_of import read_as_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_an_earlier_version_is_read(spark: SparkSession) -> None:
    for statement in (
        "CREATE OR REPLACE TABLE default.as_of_facts USING DELTA AS SELECT 1 AS x",
        "INSERT INTO default.as_of_facts VALUES (2)",
    ):
        spark.sql(statement)
    newest = spark.sql("DESCRIBE HISTORY default.as_of_facts").agg({"version": "max"}).collect()[0][0]
    sql = "SELECT SUM(f.x) AS x FROM default.as_of_facts AS f"
    assert run(spark, sql).to_pylist() == [{"x": 3}]
    assert run(spark, read_as_of(sql, {"as_of_facts": newest - 1}, "spark")).to_pylist() == [{"x": 1}]
