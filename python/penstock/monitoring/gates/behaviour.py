"""The checks of behaviour of a gate: which columns they need of its scored rows, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from penstock.errors import UnknownNameError
from penstock.monitoring.behaviour.definition import Check, Movement
from penstock.monitoring.behaviour.judged import Scored, is_changed, judged
from penstock.registry.versions import Version


def columns_of(checks: Sequence[Check], known: Sequence[str], where: str) -> list[str]:
    """The columns that checks name, as the table calls them.

    Args:
        checks: The checks.
        known: The columns of the table.
        where: The place, for errors.

    Raises:
        UnknownNameError: When the table has no such column.
    """
    own = {name.lower(): name for name in known}
    found: dict[str, None] = {}
    for check in checks:
        for tree in check.expressions():
            for column in tree.find_all(exp.Column):
                if column.name.lower() not in own:
                    where = f"{where}, {check.name} of the gate"
                    raise UnknownNameError.of("column", column.name, known, where=where)
                found[own[column.name.lower()]] = None
    return list(found)


def second(at: int, version: Version) -> str:
    """The column of the score that a version gives for the changed rows of the check of this number."""
    return f"__second_{at}_{version.version}"


def changes_of(checks: Sequence[Check]) -> dict[int, dict[str, exp.Expr]]:
    """What is changed, by the numbers of the checks that change rows."""
    return {at: check.changes() for at, check in enumerate(checks) if isinstance(check, Movement) and check.change}


def behaviour_sql(
    checks: Sequence[Check], relation: str, scores: Mapping[str, Version], *, label: str, threshold: float | None
) -> str:
    """The query of what comes of each check for each version: the rows of `judged`, with `version`.

    Args:
        checks: The checks, one at least.
        relation: The scored rows, with the columns of `columns_of`.
        scores: The versions by the columns of their scores; those of changed rows are called as `second` says.
        label: The column of what came true.
        threshold: From which probability on a score says 1; None of other scores.
    """
    queries: list[exp.Query] = []
    changes = changes_of(checks)
    for name, version in scores.items():
        for at, check in enumerate(checks):
            scored = Scored(relation, exp.column(name), label=exp.column(label), threshold=threshold)
            if at in changes:
                after = exp.column(second(at, version))
                scored = Scored(
                    relation, scored.score, after, is_changed(changes[at]), scored.label, threshold=threshold
                )
            told = exp.select("*", exp.alias_(exp.cast(exp.Literal.number(version.version), "int"), "version"))
            queries.append(told.from_(judged(check, scored, "spark").subquery("told")))
    query = queries[0]
    for other in queries[1:]:
        query = exp.union(query, other, distinct=False)
    return query.sql("spark")


def told_of(row: Mapping[str, Any], beside: Mapping[str, Any] | None) -> str:
    """What came of a check, in words.

    Args:
        row: Of `behaviour_sql`, of the challenger.
        beside: That of the champion; None where there is none.

    Example:
        >>> row = {"value": 0.02, "low": 0.012, "high": 0.033, "rows": 1000, "unjudged": 0, "rest": None}
        >>> told_of(row, {**row, "value": 0.05})
        "0.02 (0.012 to 0.033) over 1,000 rows; the champion's 0.05"
    """
    told = f"{_text(row['value'])} ({_text(row['low'])} to {_text(row['high'])}) over {row['rows']:,} rows"
    if row["value"] is None:
        told = f"nothing found over {row['rows']:,} rows"
    if row["rest"] is not None:
        told += f", {_text(row['rest'])} over the others"
    if row["unjudged"]:
        told += f"; {row['unjudged']:,} could not be judged"
    return told if beside is None else f"{told}; the champion's {_text(beside['value'])}"


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
