"""The one path by which an alias moves."""

from __future__ import annotations

import re
from typing import Any

from penstock.errors import InvalidRequestError
from penstock.registry import mlflow_store
from penstock.registry.alias_table import alias_of, ensure_tables, swap
from penstock.registry.functions import check_function, functions_of, publish_function
from penstock.registry.moves import moves_of, reason_of_rollback, standing
from penstock.registry.versions import Version, registered, version_of_alias
from penstock.scoring.declared import ISOLATED, LOCAL

CHAMPION = "champion"


def promote(
    spark: Any,
    model: str,
    version: int,
    *,
    expected: int | None,
    reason: str,
    alias: str = CHAMPION,
    environment: str | None = None,
) -> None:
    """Let `alias` of `model` point to `version`.

    The Delta row moves in one commit, and only if it still points to `expected`: from then on statements use the new
    version. How functions are called and MLflow's alias follow by `publish`.

    Args:
        spark: The session that holds the alias table.
        model: The registered name.
        version: The version that goes live.
        expected: The version that is live now; None when there is none yet.
        reason: Why it moves, for the table's history.
        alias: The alias to move.
        environment: `isolated` for an environment of the version's own, `local` for the session's libraries; when None,
            what a declared function of the alias says.

    Raises:
        InvalidRequestError: when the alias points to another version than `expected` by now.
        UnknownNameError: when there is no such model or version.
        PenstockError: when the version does not load, or does not give what a declared function returns.
    """
    ensure_tables(spark)
    new = registered(spark, model, version, environment=environment or declared_environment(spark, model, alias))
    _move(spark, new, alias, expected=expected, reason=reason)


def roll_back(spark: Any, model: str, *, reason: str = "", alias: str = CHAMPION) -> Version:
    """Let `alias` of `model` point to the version again that it pointed to before its last promotion.

    What scored then scores now: the row of the alias table is the one of that time, its engine with it. A second
    rollback goes back by one more promotion. One that was cut short after its commit is finished, and nothing else.

    Args:
        spark: The session that holds the alias table.
        model: The registered name.
        reason: Why, for the table's history.
        alias: The alias to move.

    Returns:
        The version that is live now.

    Raises:
        InvalidRequestError: when there is no version to go back to, or somebody else moved the alias meanwhile.
        PenstockError: when the version does not give what a declared function returns by now.
    """
    moves = moves_of(spark, model, alias)
    if moves and moves[-1].is_back and not _is_published(model, alias, moves[-1].version.version):
        publish(spark, model, alias)
        return moves[-1].version
    left = standing(moves)
    if len(left) < 2:
        raise InvalidRequestError(
            f"there is no version before version {left[0].version.version} to go back to"
            if left
            else f"no version is live under '{alias}'",
            where=f"model {model}",
            fix="promote another version",
        )
    live, before = left[-1].version, left[-2].version
    _move(spark, before, alias, expected=live.version, reason=reason_of_rollback(live.version, reason))
    return before


def _move(spark: Any, new: Version, alias: str, *, expected: int | None, reason: str) -> None:
    model = new.model
    held = live_version(spark, model, alias)
    if held != expected:
        raise InvalidRequestError(
            f"alias '{alias}' points to version {held}, not to {expected}: somebody moved it",
            where=f"model {model}",
            fix="look at the newer version and decide again",
        )
    for function in functions_of(spark, model):
        if function.alias == alias:
            check_function(spark, function, new)
    if not swap(spark, new, alias, expected=expected, reason=reason):
        raise InvalidRequestError(f"alias '{alias}' was moved by somebody else meanwhile", where=f"model {model}")
    publish(spark, model, alias)


def publish(spark: Any, model: str, alias: str = CHAMPION) -> None:
    """Bring what follows from the alias table up to date: the model's SQL functions, and the alias in MLflow.

    It may be called at any time; after a promotion that was cut short it finishes it.

    Args:
        spark: The session that holds the alias table.
        model: The registered name.
        alias: The alias to publish; nothing is done while it points to no version.
    """
    held = alias_of(spark, model, alias)
    if held is None:
        return
    for function in functions_of(spark, model):
        if function.alias == alias:
            publish_function(spark, function, held.version)
    if not _is_number(alias):
        mlflow_store.client().set_registered_model_alias(model, alias, str(held.version.version))


def live_version(spark: Any, model: str, alias: str = CHAMPION) -> int | None:
    """The version that `alias` of `model` points to, None when it points to none."""
    held = alias_of(spark, model, alias)
    return None if held is None else held.version.version


def _is_published(model: str, alias: str, version: int) -> bool:
    """Whether MLflow, which is told last, has the alias as the table has it."""
    return _is_number(alias) or version_of_alias(model, alias) == version


def _is_number(alias: str) -> bool:
    """MLflow keeps names as `v3` for its versions: there is no alias to set."""
    return re.fullmatch(r"v\d+", alias) is not None


def declared_environment(spark: Any, model: str, alias: str = CHAMPION) -> str:
    """Whose libraries score what goes live under an alias, as its functions declare it."""
    declared = {f.environment for f in functions_of(spark, model) if alias in f.aliases}
    return ISOLATED if ISOLATED in declared else LOCAL
