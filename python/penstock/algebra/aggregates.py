"""The table of aggregates: what each one is over rows, and by what law its partial states may be put together.

Rollups, cumulative metrics and training windows read this one table. An aggregate is computed in one go over rows
(`over_rows`), or in three steps: each row is lifted to the parts of a state, the parts are combined, and the combined
parts are finished to a value. Under the group law a part may also be taken back by subtraction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from penstock.errors import UnknownNameError
from penstock.manifest.model import Aggregation

Law = Literal["group", "monoid", "holistic"]
Kind = Literal["integer", "decimal", "double", "other"]

_NUMBERS: frozenset[Kind] = frozenset(("integer", "decimal"))
_EVERYTHING: frozenset[Kind] = frozenset(("integer", "decimal", "double", "other"))

_COMBINE: Mapping[str, type[exp.AggFunc]] = {"sum": exp.Sum, "min": exp.Min, "max": exp.Max}


@dataclass(frozen=True)
class Part:
    """One column of a partial state.

    Args:
        name: Its name, to be put behind the name of the metric.
        lift: A row's value as a state of that one row.
        combine: How states are put together; `sum` also takes them back.
    """

    name: str
    lift: Callable[[exp.Expr], exp.Expr]
    combine: Literal["sum", "min", "max"]

    def partial(self, value: exp.Expr) -> exp.Expr:
        """The part over a group of rows."""
        return self.merge(self.lift(value))

    def merge(self, state: exp.Expr) -> exp.Expr:
        """The part over a group of states."""
        return _COMBINE[self.combine](this=state.copy())


@dataclass(frozen=True)
class Aggregate:
    """One row of the table.

    Args:
        name: As the manifest calls it after its load-time rules.
        law: `group`: merge has an inverse; `monoid`: merge only; `holistic`: from the rows.
        over_nothing: Its value where no row counts: None for NULL, or 0.
        exact: The kinds of values over which merged states give the very value that rows give, in any order.
        parts: The columns of its state while states are only merged; empty where no state of fixed size is exact.
        retractable: The columns of its state where rows are also taken back. A sum needs its count then, because a
            sum of 0 and a sum over nothing differ.
        by_key: It follows the group law only through the number of open lifetimes of each key (distinct counts).
    """

    name: str
    law: Law
    over_nothing: Literal[0] | None
    exact: frozenset[Kind]
    parts: tuple[Part, ...] = ()
    retractable: tuple[Part, ...] = ()
    by_key: bool = False

    @property
    def decomposable(self) -> bool:
        """Whether aggregates over parts of the rows give the aggregate over all of them."""
        return bool(self.parts)

    @property
    def idempotent(self) -> bool:
        """Whether a value counts once, however often it is there."""
        return self.by_key or (self.decomposable and all(part.combine != "sum" for part in self.parts))

    def over_rows(self, value: exp.Expr, spec: Aggregation | None = None) -> exp.Expr:
        """The aggregate straight over the rows of a group; NULL values don't count.

        Args:
            value: The value of a row.
            spec: The metric's own aggregation, which holds a percentile's parameters.
        """
        value = value.copy()
        if self.name == "average":
            # not AVG: of decimals Spark's is a decimal, cut off after a few digits
            return self.finish([exp.Sum(this=value), exp.Count(this=value.copy())])
        if self.name == "count_distinct":
            return exp.Count(this=exp.Distinct(expressions=[value]))
        if self.name == "percentile":
            return _percentile(value, spec)
        if self.name == "sum" and _is_one_or_null(value):
            # the same number and NULL over nothing; DuckDB counts three times as fast as it adds up
            return exp.Nullif(this=exp.Count(this=value), expression=exp.Literal.number(0))
        return _COMBINE[self.name](this=value)

    def finish(self, states: Sequence[exp.Expr], *, retracted: bool = False) -> exp.Expr:
        """The value of a combined state.

        Args:
            states: The combined columns, in the order of `parts` (of `retractable` where `retracted`).
            retracted: Whether states were also taken back, so that an empty group may be a sum of 0.
        """
        if self.name == "average":
            total, number = states
            return exp.Div(
                this=exp.cast(total.copy(), exp.DataType.Type.DOUBLE),
                expression=exp.Nullif(this=number.copy(), expression=exp.Literal.number(0)),
            )
        if self.name == "sum" and retracted:
            total, number = states
            some = exp.GT(this=number.copy(), expression=exp.Literal.number(0))
            return exp.Case(ifs=[exp.If(this=some, true=total.copy())])
        return states[0].copy()


def aggregate(name: str) -> Aggregate:
    """The aggregate called `name`.

    Raises:
        UnknownNameError: There is none.

    Example:
        >>> aggregate("sum").law
        'group'
    """
    if name not in AGGREGATES:
        raise UnknownNameError.of("aggregation", name, AGGREGATES, where="a metric's `agg`")
    return AGGREGATES[name]


def _value(value: exp.Expr) -> exp.Expr:
    return value.copy()


def _counted(value: exp.Expr) -> exp.Expr:
    there = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=there, true=exp.Literal.number(1))], default=exp.Literal.number(0))


def _is_one_or_null(value: exp.Expr) -> bool:
    """Whether the value is `CASE WHEN … THEN 1 END`, the 1 of a row that a filter lets through."""
    if not isinstance(value, exp.Case) or value.this is not None or value.args.get("default") is not None:
        return False
    return all(branch.args["true"] == exp.Literal.number(1) for branch in value.args["ifs"])


def _percentile(value: exp.Expr, spec: Aggregation | None) -> exp.Expr:
    share = exp.Literal.number(repr(spec.percentile if spec is not None and spec.percentile is not None else 0.5))
    if spec is not None and spec.approximate:
        return exp.ApproxQuantile(this=value, quantile=share)
    function = exp.PercentileDisc if spec is not None and spec.discrete else exp.PercentileCont
    return exp.WithinGroup(
        this=function(this=share), expression=exp.Order(expressions=[exp.Ordered(this=value, nulls_first=False)])
    )


_COUNT = Part("count", _counted, "sum")
# The bare value: NULL adds as little to a sum as 0 does, and next to a 0 Spark cuts digits off wide decimals.
_TOTAL = Part("sum", _value, "sum")

AGGREGATES: Mapping[str, Aggregate] = {
    a.name: a
    for a in (
        Aggregate("sum", "group", None, _NUMBERS, (_TOTAL,), (_TOTAL, _COUNT)),
        Aggregate("average", "group", None, _NUMBERS, (_TOTAL, _COUNT), (_TOTAL, _COUNT)),
        Aggregate("count_distinct", "group", 0, _EVERYTHING, by_key=True),
        Aggregate("min", "monoid", None, _EVERYTHING, (Part("min", _value, "min"),)),
        Aggregate("max", "monoid", None, _EVERYTHING, (Part("max", _value, "max"),)),
        Aggregate("percentile", "holistic", None, _EVERYTHING),
    )
}
