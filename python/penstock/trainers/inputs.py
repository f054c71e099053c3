"""What a training set was read from, and a checksum of what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.training_sets.checksum import checksum, checksum_parts
from penstock.training_sets.history import last_build
from penstock.training_sets.record import Record, record_of


@dataclass(frozen=True)
class TableVersion:
    """One Delta table in one state."""

    table: str
    version: int


def read_from(frame: Any) -> tuple[TableVersion, ...]:
    """The Delta tables that a Spark DataFrame reads, each with its newest version."""
    leaves = frame._jdf.queryExecution().analyzed().collectLeaves()
    names = []
    for i in range(leaves.size()):
        leaf = leaves.apply(i)
        # Only a table read has a catalog entry; py4j cannot be asked whether a method is there.
        if leaf.nodeName().startswith("LogicalRelation") and leaf.catalogTable().isDefined():
            names.append(leaf.catalogTable().get().identifier().unquotedString().removeprefix("spark_catalog."))
    session = frame.sparkSession
    return tuple(
        TableVersion(name, int(session.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]["version"]))
        for name in sorted(set(names))
    )


def content_checksum(frame: Any) -> str:
    """The checksum of the rows of a Spark DataFrame, whatever their order."""
    return checksum(frame.dtypes, frame.selectExpr(*checksum_parts(frame.dtypes)).collect()[0])


def record_in(spark: Any, table: str) -> Record | None:
    """What a training set's table was made from; None where it does not say so, or holds other rows by now."""
    record = record_of(spark.sql(f"DESCRIBE DETAIL {table}").collect()[0]["properties"])
    if record is None:
        return None
    history = spark.sql(f"DESCRIBE HISTORY {table}").select("version", "operation").collect()
    _, since = last_build(((int(row["version"]), row["operation"]) for row in history), record.merged)
    return record if since is None else None
