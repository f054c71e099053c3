"""The Delta table of which version each alias points to: the truth that each query reads once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from penstock.registry.versions import Version
from penstock.scoring.contract import Description
from penstock.scoring.functions import ALIASES, FUNCTIONS, SCHEMA, USAGE
from penstock.scoring.linear.formula import Formula

_COLUMNS = (
    "model STRING NOT NULL, alias STRING NOT NULL, version INT NOT NULL, source STRING NOT NULL,"
    " digest STRING NOT NULL, engine STRING NOT NULL, proof STRING, formula STRING, run_id STRING,"
    " inputs ARRAY<STRING>, used ARRAY<STRING>, description STRING, words STRING, differences ARRAY<STRING>,"
    " reason STRING"
)
# Each move stays to be read and to be undone; there are few, and Delta would forget them after a month.
_HISTORY = (
    "'delta.enableChangeDataFeed' = 'true', 'delta.logRetentionDuration' = 'interval 36500 days',"
    " 'delta.deletedFileRetentionDuration' = 'interval 36500 days'"
)
USAGE_COLUMNS = (
    "at TIMESTAMP, model STRING, version INT, function STRING, engine STRING, user STRING, node STRING,"
    " statements BIGINT, rows BIGINT, errors BIGINT, seconds DOUBLE"
)


@dataclass(frozen=True)
class Alias:
    """A row of the table."""

    version: Version
    alias: str


def ensure_tables(spark: Any) -> None:
    """Make the schema and tables of models if they are not there; the tables are empty then."""
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {ALIASES} ({_COLUMNS}) USING DELTA"
        " COMMENT 'Which version of each model is live; its history tells which was.'"
        f" TBLPROPERTIES ({_HISTORY})"
    )
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {FUNCTIONS} (name STRING NOT NULL, model STRING NOT NULL,"
        " declared STRING NOT NULL, declared_by STRING) USING DELTA"
        " COMMENT 'The SQL functions of models, as they are declared.'"
    )
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {USAGE} ({USAGE_COLUMNS}) USING DELTA"
        " COMMENT 'What scoring took: rows, errors and CPU seconds, by model, user and dbt node.'"
        " TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')"
    )


def alias_of(spark: Any, model: str, alias: str) -> Alias | None:
    """What an alias points to; None when it points to nothing."""
    if not spark.catalog.tableExists(ALIASES):
        return None
    match = exp.and_(exp.column("model").eq(model), exp.column("alias").eq(alias)).sql("spark")
    rows = spark.table(ALIASES).where(match).collect()
    return Alias(version_in(rows[0]), alias) if rows else None


def aliases_in(table: Any) -> Mapping[tuple[str, str], Version]:
    """What all aliases point to, by model and alias, in some state of the table.

    Args:
        table: The DataFrame of that state.
    """
    return {(row["model"], row["alias"]): version_in(row) for row in table.collect()}


def swap(spark: Any, version: Version, alias: str, *, expected: int | None, reason: str) -> bool:
    """Let an alias point to a version, in one commit, if it still points to `expected`; whether it does now."""
    from delta.tables import DeltaTable

    row = (
        version.model,
        alias,
        version.version,
        version.source,
        version.digest,
        version.engine,
        json.dumps(version.proof),
        None if version.formula is None else json.dumps(version.formula.as_data()),
        version.run_id,
        [each.name for each in version.description.inputs],
        list(version.used),
        json.dumps(version.description.as_json()),
        version.words,
        list(version.differences),
        reason,
    )
    # A DataFrame may hold NULL anywhere; the table says where none may be.
    new = spark.createDataFrame([row], _COLUMNS.replace(" NOT NULL", ""))
    # The expected version is part of the condition too, so that of two moves at once one finds no match.
    (
        DeltaTable.forName(spark, ALIASES)
        .alias("held")
        .merge(new.alias("new"), "held.model = new.model AND held.alias = new.alias")
        .whenMatchedUpdateAll(condition=f"held.version = {-1 if expected is None else int(expected)}")
        .whenNotMatchedInsertAll()
        .execute()
    )
    held = alias_of(spark, version.model, alias)
    return held is not None and held.version.version == version.version


def version_in(row: Any) -> Version:
    """The version that a row of the table is of."""
    return Version(
        model=row["model"],
        version=int(row["version"]),
        source=row["source"],
        digest=row["digest"],
        run_id=row["run_id"],
        description=Description.from_json(json.loads(row["description"])),
        words=row["words"] or "",
        engine=row["engine"],
        proof=tuple(json.loads(row["proof"] or "[]")),
        used=tuple(row["used"]),
        formula=None if row["formula"] is None else Formula.from_data(json.loads(row["formula"])),
        differences=tuple(row["differences"]),
    )
