"""A step of a query that is not written down yet: rows, and what to take from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp


@dataclass
class Stage:
    """Rows with the keys and values to select from them.

    Args:
        rows: A select with FROM, joins and WHERE, but nothing selected.
        keys: Key expressions by output column.
        values: Value expressions by leaf column.
        grouped: Whether the values are aggregates, so that the rows have to be grouped by the keys.
        found: For a leaf that may lack a row in a group of the others, 1 where it has one.
        sets: The sets of keys by which the rows are grouped at once, as numbers of the keys; none for all of them.
    """

    rows: exp.Select
    keys: dict[str, exp.Expr]
    values: dict[str, exp.Expr]
    grouped: bool
    found: dict[str, exp.Expr] = field(default_factory=dict)
    sets: tuple[tuple[int, ...], ...] = ()

    def columns(self, columns: Mapping[str, exp.Expr]) -> exp.Select:
        """The step as a select of columns, of which the keys are the first."""
        return selected(self.rows, columns, group_by=len(self.keys) if self.grouped else 0, sets=self.sets)

    def select(self) -> exp.Select:
        """The step as a select of its keys and values."""
        return self.columns({**self.keys, **self.values})

    def within(self, alias: str) -> Stage:
        """The step as a sub-query, its columns to be read by name."""
        return Stage(
            rows=exp.Select().from_(subquery(self.select(), alias), copy=False),
            keys={name: exp.column(name, alias) for name in self.keys},
            values={name: exp.column(name, alias) for name in self.values},
            grouped=False,
            found={name: exp.column(name, alias) for name in self.found},
        )


def selected(
    rows: exp.Select,
    columns: Mapping[str, exp.Expr],
    *,
    group_by: int = 0,
    sets: Sequence[Sequence[int]] = (),
    distinct: bool = False,
) -> exp.Select:
    """The rows with columns selected, grouped by the first few of them, or by sets of them."""
    select = rows.select(*(exp.alias_(e.copy(), name, copy=False) for name, e in columns.items()), copy=False)
    if sets:
        tuples = [exp.Tuple(expressions=[exp.Literal.number(i) for i in numbers]) for numbers in sets]
        select.set("group", exp.Group(grouping_sets=[exp.GroupingSets(expressions=tuples)]))
        if () in sets:
            # over no rows there is no total either; without this only some engines say so
            some = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0))
            select = select.having(some, copy=False)
    elif group_by:
        # by number: a name would be taken for a column of the source where that has one of the same name
        select = select.group_by(*(exp.Literal.number(i + 1) for i in range(group_by)), copy=False)
    if distinct:
        select = select.distinct(copy=False)
    return select


def subquery(select: exp.Query, alias: str) -> exp.Expr:
    """The select as a table under an alias; the select itself, which is not to be used besides."""
    return exp.alias_(exp.Subquery(this=select), alias, table=True, copy=False)
