"""Keys of entities: of one column, or of several that are compared one by one and never glued together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.training_sets.sql import not_null, struct, user_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Key = str | tuple[str, ...]


def columns_of(keys: Iterable[Key]) -> tuple[str, ...]:
    """The columns that keys are made of.

    Example:
        >>> columns_of(["carrier", ("origin", "dest")])
        ('carrier', 'origin', 'dest')
    """
    return tuple(c for key in keys for c in ((key,) if isinstance(key, str) else key))


def parts_of_key(value: exp.Expr) -> list[exp.Expr]:
    """The parts of the key of a semantic model's entity, whose `expr` is one expression or several in brackets.

    Example:
        >>> [part.sql() for part in parts_of_key(exp.maybe_parse("(origin, dest)"))]
        ['origin', 'dest']
    """
    return list(value.expressions) if isinstance(value, exp.Tuple) else [value]


def one_key(parts: Sequence[exp.Expr]) -> exp.Expr:
    """A key as one value, NULL where a part of it is: then it is nobody's."""
    if len(parts) == 1:
        return parts[0].copy()
    whole = struct(**{f"part_{i}": part for i, part in enumerate(parts)})
    return exp.Case(ifs=[exp.If(this=exp.and_(*map(not_null, parts), copy=False), true=whole)])


def key_of_spine(key: Key, table: str) -> exp.Expr:
    """The key in the rows of a spine that is called `table`."""
    return one_key([user_column(c, table) for c in columns_of([key])])
