"""Tables of the tests on Spark: rows in Python as views, and DuckDB's tables as tables."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import duckdb
    from pyspark.sql import DataFrame, SparkSession

_TYPES = {"INT": "INT", "TEXT": "STRING"}


def frame_of(spark: SparkSession, kinds: Mapping[str, str], rows: Iterable[Iterable[Any]]) -> DataFrame:
    """Rows whose columns have these types, in DuckDB's words."""
    schema = ", ".join(f"`{column}` {_TYPES.get(kind, kind)}" for column, kind in kinds.items())
    # timestamps with a zone are instants, whatever the zone of this machine
    zoned = [tuple(v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for v in row) for row in rows]
    return spark.createDataFrame(zoned, schema)


@contextmanager
def views(frames: Mapping[str, DataFrame]) -> Iterator[None]:
    """Within, the frames are temporary views."""
    for name, frame in frames.items():
        frame.createOrReplaceTempView(name)
    try:
        yield
    finally:
        for name, frame in frames.items():
            frame.sparkSession.catalog.dropTempView(name)


@contextmanager
def shop_of(spark: SparkSession, connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> Iterator[SparkSession]:
    """Within, a session of its own, its settings free to change, with these tables of DuckDB's schema `shop`."""
    session = spark.newSession()
    session.sql("CREATE DATABASE IF NOT EXISTS shop")
    for name in names:
        frame = session.createDataFrame(connection.sql(f"SELECT * FROM shop.{name}").to_arrow_table())
        for column, kind in frame.dtypes:
            if kind == "timestamp_ntz":
                frame = frame.withColumn(column, frame[column].cast("timestamp"))
        frame.write.mode("overwrite").saveAsTable(f"shop.{name}")
    yield session
    session.sql("DROP DATABASE shop CASCADE")
