"""What a training set was read from, and a checksum of what it holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any


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
    """A checksum of the rows of a Spark DataFrame that does not depend on their order.

    It is the row count with two order-free folds of each row's 64-bit hash, so that no single fold decides.
    """
    from pyspark.sql import functions as f

    hashed = frame.select(f.xxhash64(*frame.columns).alias("h"))
    row = hashed.agg(
        f.count("*"), f.coalesce(f.bit_xor("h"), f.lit(0)), f.sum(f.col("h").cast("decimal(20,0)"))
    ).collect()[0]
    text = "|".join(str(part) for part in (*frame.dtypes, *row))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
