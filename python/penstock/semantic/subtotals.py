"""Pass: one stage by several sets of the keys at once, so that subtotals are worked out from rows, as groups are.

A key that a set leaves out is NULL in its rows; a marker beside the key tells that from a key that is NULL itself.
"""

from __future__ import annotations

from sqlglot import exp

from penstock.semantic.names import Item
from penstock.semantic.stage import Stage

Sets = tuple[tuple[Item, ...], ...]


def marker(column: str) -> str:
    """The column that is true in rows over all values of a key.

    Example:
        >>> marker("customer__name")
        'customer__name__is_total'
    """
    return f"{column}__is_total"


def marked(keys: tuple[Item, ...], sets: Sets) -> tuple[Item, ...]:
    """The keys that have a marker: those that some set leaves out."""
    return tuple(k for k in keys if any(k not in kept for kept in sets))


def by_sets(stage: Stage, keys: tuple[Item, ...], sets: Sets, of: Sets) -> Stage:
    """Give the stage the keys and markers of the whole answer.

    Args:
        stage: Grouped by all the keys, or, where `sets` is a single one, by the keys of that.
        keys: The group-by items of the answer.
        sets: The sets of keys that this stage answers for.
        of: All sets of the answer.
    """
    whole = set(stage.keys) == {k.column for k in keys}
    if whole and len(sets) > 1:
        stage.keys = _told_apart(stage.keys)
        stage.sets = tuple(tuple(i for i, k in enumerate(keys, start=1) if k in kept) for kept in sets)
        one = exp.Literal.number(1)
        markers: dict[str, exp.Expr] = {
            marker(k.column): exp.EQ(
                this=exp.Anonymous(this="GROUPING", expressions=[stage.keys[k.column].copy()]), expression=one.copy()
            )
            for k in marked(keys, of)
        }
    else:
        (kept,) = sets
        markers = {marker(k.column): exp.Boolean(this=k not in kept) for k in marked(keys, of)}
    ordered = {k.column: stage.keys.get(k.column, exp.Null()) for k in keys}
    stage.keys = {**ordered, **markers}
    return stage


def _told_apart(keys: dict[str, exp.Expr]) -> dict[str, exp.Expr]:
    """The keys, no two of which are one expression: GROUPING tells them by nothing else."""
    found: dict[str, exp.Expr] = {}
    for name, key in keys.items():
        found[name] = key
        while sum(found[name] == other for other in found.values()) > 1:
            found[name] = exp.Coalesce(this=found[name].copy(), expressions=[exp.Null()])
    return found
