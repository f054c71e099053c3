"""The SQL functions of models: which are declared, and making them as the live versions want them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.registry.alias_table import Alias, alias_of, ensure_tables
from penstock.registry.versions import Version
from penstock.scoring.declared import Function, parse_function
from penstock.scoring.functions import FUNCTIONS, function_name, function_statement
from penstock.scoring.spark_ml.body import check
from penstock.scoring.spark_ml.opened import SPARK_ML
from penstock.scoring.usage import UNCOUNTED, marked


def declare(spark: Any, functions: Iterable[Function], declared_by: str) -> None:
    """Keep what a node declares: its functions, and no others of that node.

    Args:
        spark: The session that holds the tables.
        functions: All that the node declares.
        declared_by: The node's id.
    """
    from delta.tables import DeltaTable

    ensure_tables(spark)
    wanted = [(f.name, f.model, json.dumps(f.as_json(), sort_keys=True), declared_by) for f in functions]
    held = [
        tuple(row)
        for row in spark.table(FUNCTIONS).where(exp.column("declared_by").eq(declared_by).sql("spark")).collect()
    ]
    if sorted(held) == sorted(wanted):
        return
    names = ", ".join(exp.Literal.string(name).sql("spark") for name, *_ in wanted) or "''"
    rows = spark.createDataFrame(wanted, "name string, model string, declared string, declared_by string")
    by = exp.Literal.string(declared_by).sql("spark")
    (
        DeltaTable.forName(spark, FUNCTIONS)
        .alias("held")
        .merge(rows.alias("new"), "held.name = new.name")
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete(condition=f"held.declared_by = {by} AND held.name NOT IN ({names})")
        .execute()
    )
    for name in {name for name, *_ in held} - {name for name, *_ in wanted}:
        spark.sql(f"DROP FUNCTION IF EXISTS {function_name(name)}")


def functions_of(spark: Any, model: str) -> list[Function]:
    """The declared functions of a model, and the usual one unless it is declared otherwise."""
    rows = spark.table(FUNCTIONS).where(exp.column("model").eq(model).sql("spark")).collect()
    declared = [parse_stored(row["declared"]) for row in sorted(rows, key=lambda row: row["name"])]
    others = [] if any(f.name == model for f in declared) else [parse_function({}, model=model)]
    return [*others, *declared]


def functions_in(table: Any) -> dict[str, Function]:
    """The declared functions in some state of the table, by name in lower case.

    Args:
        table: The DataFrame of that state.
    """
    return {row["name"].lower(): parse_stored(row["declared"]) for row in table.collect()}


def parse_stored(text: str) -> Function:
    """A function as the table holds it."""
    told = json.loads(text)
    # A pinned version is held as its alias.
    pinned = re.fullmatch(r"v(\d+)", told.get("alias", ""))
    return parse_function({**told, **({"version": int(pinned.group(1)), "alias": None} if pinned else {})})


def publish_function(spark: Any, function: Function, version: Version) -> None:
    """Make a function as it is called for a version's description.

    Args:
        spark: The session that holds the functions.
        function: As declared.
        version: What its alias points to.

    Raises:
        PenstockError: as for `check_function`.
    """
    check_function(spark, function, version)
    words = function.description or version.words
    comment = f"{words} Scored by {_who(function)} of the model '{function.model}'.".strip()
    with marked(spark, UNCOUNTED, "true"):
        spark.sql(function_statement(function, version.description, comment=comment))


def _who(function: Function) -> str:
    pinned = re.fullmatch(r"v(\d+)", function.alias)
    return f"version {pinned.group(1)}" if pinned else f"the {function.alias} version"


def check_function(spark: Any, function: Function, version: Version) -> None:
    """See whether a version can be what a function scores by.

    A canary and a shadow get the same inputs, and give the same things.

    Raises:
        PenstockError: when the version does not give what the function returns, or another alias of the function takes
            other inputs.
    """
    function.type(version.description)
    function.check_levels(version.description)
    if version.engine == SPARK_ML:
        check(function)
    others = [function.canary.alias] if function.canary else []
    key = function.canary.key if function.canary else ""
    names = [each.name for each in version.description.inputs]
    if key and key.lower() not in map(str.lower, names):
        raise UnknownNameError.of("input", key, names, where=f"{function.where}, canary")
    for alias in [*others, *([function.shadow] if function.shadow else [])]:
        other: Alias | None = alias_of(spark, function.model, alias)
        if other is None:
            continue
        given = {each.name.lower() for each in version.description.inputs}
        missing = [each.name for each in other.version.description.inputs if each.name.lower() not in given]
        if missing or other.version.description.fields != version.description.fields:
            raise InvalidDefinitionError(
                f"version {other.version.version} under '{alias}' "
                + (f"takes {', '.join(missing)} too" if missing else "gives other things"),
                where=function.where,
                fix=f"versions that score the same rows take and give what version {version.version} does",
            )
