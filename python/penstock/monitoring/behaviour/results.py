"""What came of checks of behaviour, kept for each version in `ml.behaviour`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.monitoring.record.append import insert_once
from penstock.monitoring.record.tables import Column, Table
from penstock.scoring.functions import SCHEMA

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "penstock:behaviour")

BEHAVIOUR = Table(
    f"{SCHEMA}.behaviour",
    (
        Column("result_id", "STRING", "uuid5 of the version, the check and the rows.", required=True),
        Column("model", "STRING", "The registered name.", required=True),
        Column("version", "INT", "The version that was looked at.", required=True),
        Column("name", "STRING", "The check's name.", required=True),
        Column("kind", "STRING", "stable_under, symmetric_pairs, asymmetric_pairs, …", required=True),
        Column("declared", "STRING", "The check as it was declared, as JSON.", required=True),
        Column("relation", "STRING", "The table on whose rows.", required=True),
        Column("relation_version", "BIGINT", "Its Delta version.", required=True),
        Column("unseen_since", "TIMESTAMP", "Rows before it were left out."),
        Column("value", "DOUBLE", "The share, mean distance or metric that was found."),
        Column("low", "DOUBLE", "The lower end of its interval of 95 %."),
        Column("high", "DOUBLE", "The upper end."),
        Column("bound", "DOUBLE", "What it is compared with.", required=True),
        Column("rest", "DOUBLE", "Of the long tail: the same over all other rows."),
        Column("rows", "BIGINT", "How many rows or pairs were looked at.", required=True),
        Column("unjudged", "BIGINT", "How many of them could not be judged.", required=True),
        Column("passed", "BOOLEAN", "Whether the version behaves.", required=True),
        Column("checked_at", "TIMESTAMP", "When it was looked at.", required=True),
    ),
    key=("result_id",),
    time="checked_at",
    comment="How versions of models behave: one row a version, check and state of a table; never changed.",
)


def keep(spark: Any, results: Sequence[Mapping[str, Any]]) -> None:
    """Add results to `ml.behaviour`, in one commit; those that are there are passed over.

    Args:
        spark: A session.
        results: Of each column but the id and the time its value.
    """
    if not results:
        return
    columns = [each for each in BEHAVIOUR.columns if each.name not in ("result_id", "checked_at")]
    rows = []
    for result in results:
        told = {each.name: result[each.name] for each in columns}
        keys = ("model", "version", "declared", "relation", "relation_version", "unseen_since")
        id_ = uuid.uuid5(_NAMESPACE, json.dumps([told[key] for key in keys], default=str))
        rows.append((str(id_), *(_typed(each, told[each.name]) for each in columns)))
    schema = ", ".join(f"{each.name} {each.type}" for each in (BEHAVIOUR.column("result_id"), *columns))
    insert_once(spark, BEHAVIOUR, spark.createDataFrame(rows, schema))


def _typed(column: Column, value: Any) -> Any:
    """PySpark takes no whole number for a DOUBLE."""
    return float(value) if column.type == "DOUBLE" and value is not None else value
