"""A table written slice by slice, each in one commit that says which slice it is, so that a broken run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Begun:
    """A backfill whose slices are in a table's history.

    Args:
        inputs: The versions of the inputs that all its slices read.
        done: The slices that are written, by their first instant.
    """

    inputs: Mapping[str, int | None]
    done: frozenset[str]


def begun(spark: SparkSession, table: str, identity: str) -> Begun | None:
    """What is written of a backfill; None where nothing is, or where another build came after it.

    Args:
        spark: The session.
        table: The table.
        identity: What tells the backfill from others.
    """
    if not spark.catalog.tableExists(table):
        return None
    inputs: Mapping[str, int | None] | None = None
    done = set()
    for row in spark.sql(f"DESCRIBE HISTORY {table}").select("operation", "userMetadata").collect():  # newest first
        said = _said(row["userMetadata"])
        if said.get("backfill") == identity:
            inputs = said["inputs"]
            done.add(said["slice"])
        elif row["operation"] not in ("OPTIMIZE", "SET TBLPROPERTIES"):
            break
    return None if inputs is None else Begun(inputs, frozenset(done))


def create_empty(spark: SparkSession, table: str, sql: str) -> None:
    """Make the table of a query's columns if there is none; no row is read."""
    if not spark.catalog.tableExists(table):
        spark.sql(sql).limit(0).writeTo(table).using("delta").create()


def write_slice(
    spark: SparkSession,
    table: str,
    sql: str,
    *,
    at: str,
    ends: tuple[datetime, datetime],
    identity: str,
    inputs: Mapping[str, int | None],
) -> None:
    """Put the rows of a slice in the place of those that the table has there, in one commit.

    Args:
        spark: The session.
        table: The table.
        sql: The rows, whose times all lie in the slice.
        at: The column of times.
        ends: The first instant of the slice, and the first after it.
        identity: What tells the backfill from others.
        inputs: The versions of the inputs.
    """
    first, after = ends
    here = f"`{at}` >= TIMESTAMP'{first.isoformat(' ')}' AND `{at}` < TIMESTAMP'{after.isoformat(' ')}'"
    said = json.dumps({"backfill": identity, "slice": first.isoformat(), "inputs": dict(inputs)})
    writer = spark.sql(sql).write.format("delta").mode("overwrite")
    writer.option("replaceWhere", here).option("userMetadata", said).saveAsTable(table)


def _said(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:  # somebody else's words
        return {}
    return found if isinstance(found, dict) else {}
