"""An incremental model that scores a table: what its SQL needs to know of the function, which the warehouse knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.registry.functions import parse_stored
from penstock.scoring.contract import Description
from penstock.scoring.declared import Function
from penstock.scoring.functions import ALIASES, FUNCTIONS, literal
from penstock.scoring.incremental import Scorer, Source, scored_sql


def scored(relation: Any, function: str, key: Any, built: str | None, run_query: Any) -> str:
    """The query of the rows to score.

    Args:
        relation: dbt's, of the table whose rows are scored.
        function: The declared function.
        key: The model's `unique_key`.
        built: The model's table, if this run adds to it.
        run_query: dbt's macro.

    Raises:
        UnknownNameError: when no such function is declared.
        InvalidRequestError: when the model has no key or the function no version, or as for `scored_sql`.
    """
    keys: Sequence[str] = [key] if isinstance(key, str) else list(key or ())
    if not keys:
        raise InvalidRequestError(
            "what is scored incrementally has a key",
            where=f"penstock.scored of {function}",
            fix="config(materialized='incremental', incremental_strategy='merge', unique_key='…')",
        )
    return scored_sql(_source(relation, run_query), keys, _scorer(function, run_query), built=built)


def _source(relation: Any, run_query: Any) -> Source:
    columns = run_query(f"SELECT * FROM {relation} LIMIT 0").column_names
    version = None
    # With `--empty` a subquery stands for the table. Of a table that it has just built, dbt knows no format.
    if relation.limit is None:
        told = {row[0]: row[1] for row in run_query(f"DESCRIBE TABLE EXTENDED {relation}").rows}
        if told.get("Provider") == "delta":
            version = int(run_query(f"DESCRIBE HISTORY {relation} LIMIT 1").rows[0]["version"])
    return Source(str(relation), tuple(columns), version)


def _scorer(name: str, run_query: Any) -> Scorer:
    rows = run_query(f"SELECT name, declared FROM {FUNCTIONS}").rows
    function = next((parse_stored(row["declared"]) for row in rows if row["name"].lower() == name.lower()), None)
    if function is None:
        raise UnknownNameError.of(
            "function",
            name,
            [row["name"] for row in rows],
            where="penstock.scored",
            fix="declare it, with version in what it returns, in meta.penstock.functions of a dbt model",
        )
    # All aliases in one read, so that they are of one moment.
    at = f" TIMESTAMP AS OF {literal(function.as_of)}" if function.as_of else ""
    found = run_query(f"SELECT alias, version, description FROM {ALIASES}{at} WHERE model = {literal(function.model)}")
    held = {row["alias"]: row for row in found.rows}
    for alias in (function.alias, function.shadow):
        if alias and alias not in held:
            raise _no_version(function, alias)
    live = held[function.alias]
    shadow = int(held[function.shadow]["version"]) if function.shadow else None
    return Scorer(function, Description.from_json(json.loads(live["description"])), int(live["version"]), shadow)


def _no_version(function: Function, alias: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"model '{function.model}' has no version under the alias '{alias}'",
        where=function.where,
        fix="train or promote one",
    )
