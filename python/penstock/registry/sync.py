"""Declared functions brought to life: versions that they name are registered, and each function is made or renewed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import InvalidDefinitionError
from penstock.registry.alias_table import alias_of, ensure_tables, swap
from penstock.registry.functions import declare
from penstock.registry.promote import promote, publish
from penstock.registry.versions import registered, version_of_alias
from penstock.scoring.declared import ISOLATED, LOCAL, Function, parse_function


@dataclass(frozen=True)
class Synced:
    """A function after a sync.

    Attributes:
        name: Of the function.
        model: Whose versions score.
        alias: Which of them.
        version: To which that points now; None while it points to none, and the function waits.
        returns: Its SQL type; empty while it waits.
        declared_by: The node that declares it.
    """

    name: str
    model: str
    alias: str
    version: int | None
    returns: str
    declared_by: str


def parse_functions(declared: Iterable[Any], *, model: str, where: str) -> list[Function]:
    """Read what a node declares.

    Args:
        declared: The list in its `meta.penstock.functions`.
        model: The node's name, the model of a function that names none.
        where: The node's file.

    Raises:
        PenstockError: as for `parse_function`; also when two functions have one name.
    """
    if isinstance(declared, str | Mapping) or not isinstance(declared, Iterable):
        raise InvalidDefinitionError(
            f"functions is {declared!r}", where=where, fix="functions: a list of mappings, each with a name"
        )
    functions = [parse_function(each, model=model, where=where) for each in declared]
    names = [function.name.lower() for function in functions]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InvalidDefinitionError(f"function '{twice[0]}' is declared twice", where=where)
    return functions


def sync(
    spark: Any, declared: Iterable[Mapping[str, Any]], *, model: str, declared_by: str, where: str
) -> list[Synced]:
    """Make the functions that a node declares, and drop those that it declares no more.

    An alias that points to nothing here follows MLflow's own, if that points to a version; a pinned version is
    registered. A function of an alias without a version is made as soon as one goes live. A version that is declared
    isolated, and is not, becomes so.

    Args:
        spark: The session that holds the tables.
        declared: The list in YAML.
        model: The node's name.
        declared_by: The node's id.
        where: The node's file.

    Raises:
        PenstockError: when a declaration is wrong, or a version does not give what its function returns.
    """
    functions = parse_functions(declared, model=model, where=where)
    ensure_tables(spark)
    isolated = {(f.model, alias) for f in functions if f.environment == ISOLATED for alias in f.aliases}
    for of_model, alias in dict.fromkeys((f.model, alias) for f in functions for alias in f.aliases):
        _bring(spark, of_model, alias, ISOLATED if (of_model, alias) in isolated else LOCAL)
    declare(spark, functions, declared_by)
    for of_model, alias in sorted({(function.model, function.alias) for function in functions}):
        publish(spark, of_model, alias)
    return [_synced(spark, function, declared_by) for function in functions]


def _bring(spark: Any, model: str, alias: str, environment: str) -> None:
    """Let an alias that points to nothing yet point to the version that it is pinned to, or has in MLflow."""
    held = alias_of(spark, model, alias)
    if held is not None:
        if environment == ISOLATED and not held.version.isolated:
            number = held.version.version
            new = registered(spark, model, number, environment=environment)
            swap(spark, new, alias, expected=number, reason="declared isolated")
        return
    pinned = re.fullmatch(r"v(\d+)", alias)
    if pinned:
        new = registered(spark, model, int(pinned.group(1)), environment=environment)
        swap(spark, new, alias, expected=None, reason="pinned by a function")
        return
    version = version_of_alias(model, alias)
    if version is not None:
        promote(spark, model, version, expected=None, reason="as in MLflow", alias=alias, environment=environment)


def _synced(spark: Any, function: Function, declared_by: str) -> Synced:
    held = alias_of(spark, function.model, function.alias)
    version = held.version if held is not None else None
    returns = function.type(version.description) if version is not None else ""
    return Synced(
        function.name, function.model, function.alias, version.version if version else None, returns, declared_by
    )
