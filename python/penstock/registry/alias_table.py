"""The Delta table of which version each alias points to: the truth that each query reads once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from penstock.registry.versions import Version
from penstock.scoring.contract import Description
from penstock.scoring.functions import ALIASES, BODIES, FUNCTIONS, SCHEMA

_COLUMNS = (
    "model STRING NOT NULL, alias STRING NOT NULL, version INT NOT NULL, source STRING NOT NULL,"
    " digest STRING NOT NULL, engine STRING NOT NULL, proof STRING, run_id STRING,"
    " inputs ARRAY<STRING>, description STRING, words STRING, differences ARRAY<STRING>, reason STRING"
)


@dataclass(frozen=True)
class Alias:
    """A row of the table."""

    version: Version
    alias: str


def ensure_tables(spark: Any) -> None:
    """Make the schemas and tables of models if they are not there; the tables are empty then."""
    for schema in (SCHEMA, BODIES):
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {ALIASES} ({_COLUMNS}) USING DELTA"
        " COMMENT 'Which version of each model is live; its history tells which was.'"
    )
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {FUNCTIONS} (name STRING NOT NULL, model STRING NOT NULL,"
        " declared STRING NOT NULL, declared_by STRING) USING DELTA"
        " COMMENT 'The SQL functions of models, as they are declared.'"
    )


def alias_of(spark: Any, model: str, alias: str) -> Alias | None:
    """What an alias points to; None when it points to nothing."""
    if not spark.catalog.tableExists(ALIASES):
        return None
    match = exp.and_(exp.column("model").eq(model), exp.column("alias").eq(alias)).sql("spark")
    rows = spark.table(ALIASES).where(match).collect()
    return _alias(rows[0]) if rows else None


def model_at(spark: Any, source: str) -> tuple[str, int] | None:
    """The model and version that an alias has from the folder `source`; None when there is none."""
    if not spark.catalog.tableExists(ALIASES):
        return None
    match = exp.column("source").eq(source).sql("spark")
    rows = spark.table(ALIASES).where(match).select("model", "version").take(1)
    return (rows[0]["model"], int(rows[0]["version"])) if rows else None


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
        version.run_id,
        [each.name for each in version.description.inputs],
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


def _alias(row: Any) -> Alias:
    description = Description.from_json(json.loads(row["description"]))
    version = Version(
        row["model"],
        int(row["version"]),
        row["source"],
        row["digest"],
        row["run_id"],
        description,
        row["words"] or "",
        row["engine"],
        tuple(json.loads(row["proof"] or "[]")),
        tuple(row["differences"] or ()),
    )
    return Alias(version, row["alias"])
