"""The one path by which an alias moves."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.registry import mlflow_store
from penstock.registry.model_files import store_files
from penstock.scoring.functions import ALIASES, SCHEMA, create_function

CHAMPION = "champion"


def promote(spark: Any, model: str, version: int, *, expected: int | None, reason: str, alias: str = CHAMPION) -> None:
    """Let `alias` of `model` point to `version`.

    The Delta row moves first, in one commit, and only if it still points to `expected`; what follows from it is then
    brought up to date by `publish`.

    Args:
        spark: The session that holds the alias table.
        model: The registered name.
        version: The version that goes live.
        expected: The version that is live now; None when there is none yet.
        reason: Why it moves, for the table's history.
        alias: The alias to move.

    Raises:
        InvalidRequestError: when the alias points to another version than `expected` by now.
    """
    ensure_alias_table(spark)
    store = mlflow_store.client()
    found = store.get_model_version(model, str(version))
    logged = store.get_model_version_download_uri(model, str(version))
    inputs = mlflow_store.inputs_of(logged)
    held = live_version(spark, model, alias)
    if held != expected:
        raise InvalidRequestError(
            f"alias '{alias}' points to version {held}, not to {expected}: somebody moved it",
            where=f"model {model}",
            fix="look at the newer version and decide again",
        )
    source = store_files(spark, model, version, logged)
    row = spark.createDataFrame(
        [(model, alias, version, source, found.run_id, [each.name for each in inputs], reason)],
        "model string, alias string, version int, source string, run_id string, inputs array<string>, reason string",
    )
    # The expected version is part of the MERGE condition too, so that of two promotions at once one finds no match.
    (
        _alias_table(spark)
        .alias("held")
        .merge(row.alias("new"), "held.model = new.model AND held.alias = new.alias")
        .whenMatchedUpdateAll(condition=f"held.version = {-1 if expected is None else int(expected)}")
        .whenNotMatchedInsertAll()
        .execute()
    )
    if live_version(spark, model, alias) != version:
        raise InvalidRequestError(f"alias '{alias}' was moved by somebody else meanwhile", where=f"model {model}")
    publish(spark, model, alias)


def publish(spark: Any, model: str, alias: str = CHAMPION) -> None:
    """Bring what follows from the alias table up to date: the model's SQL function, and the alias in MLflow.

    It may be called at any time; after a promotion that was cut short it finishes it.

    Args:
        spark: The session that holds the alias table.
        model: The registered name; its alias must point to a version.
        alias: The alias to publish.
    """
    row = _alias_row(spark, model, alias)
    if row is None:
        return
    inputs = mlflow_store.inputs_of(row["source"])
    description = mlflow_store.description_of(row["source"])
    comment = " ".join([description, f"Scored by the {alias} version of the model '{model}'."]).strip()
    spark.sql(create_function(model, inputs, comment=comment))
    mlflow_store.client().set_registered_model_alias(model, alias, str(row["version"]))


def ensure_alias_table(spark: Any) -> None:
    """Make the alias table if it is not there; it is empty then."""
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {ALIASES} (model STRING NOT NULL, alias STRING NOT NULL, version INT NOT NULL,"
        " source STRING NOT NULL, run_id STRING, inputs ARRAY<STRING>, reason STRING) USING DELTA"
        " COMMENT 'Which version of each model is live; its history tells which was.'"
    )


def live_version(spark: Any, model: str, alias: str = CHAMPION) -> int | None:
    """The version that `alias` of `model` points to, None when it points to none."""
    row = _alias_row(spark, model, alias)
    return None if row is None else int(row["version"])


def live_from(spark: Any, source: str) -> tuple[str, int] | None:
    """The model and version that an alias has from the folder `source`; None when there is none."""
    if not spark.catalog.tableExists(ALIASES):
        return None
    match = exp.column("source").eq(source).sql("spark")
    rows = spark.table(ALIASES).where(match).select("model", "version").take(1)
    return (rows[0]["model"], int(rows[0]["version"])) if rows else None


def _alias_row(spark: Any, model: str, alias: str) -> Any | None:
    if not spark.catalog.tableExists(ALIASES):
        return None
    match = exp.and_(exp.column("model").eq(model), exp.column("alias").eq(alias)).sql("spark")
    rows = spark.table(ALIASES).where(match).collect()
    return rows[0] if rows else None


def _alias_table(spark: Any) -> Any:
    from delta.tables import DeltaTable

    return DeltaTable.forName(spark, ALIASES)
