"""Pass: leaves over the rows of one fact, in one scan, their filters as conditional aggregates."""

from __future__ import annotations

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.semantic.context import Context
from penstock.semantic.expressions import timestamp, when
from penstock.semantic.filters import some, split_filters
from penstock.semantic.known import known_tests
from penstock.semantic.leaves import Leaf
from penstock.semantic.names import Item
from penstock.semantic.plan import Branch, TimeRange
from penstock.semantic.scope import Scope
from penstock.semantic.source import source_rows
from penstock.semantic.stage import Stage


def plain_stage(context: Context, branch: Branch, keys: tuple[Item, ...], time_range: TimeRange | None) -> Stage:
    """Aggregate all leaves of a branch in one scan."""
    shape = branch.shape
    scope = Scope(context, shape.model, shape.time_dimension, known=shape.known)
    key_columns = {k.column: scope.item(k) for k in keys}
    where, own = split_filters({column: _filters(scope, leaf) for column, leaf in branch.leaves})
    if time_range is not None:
        where.append(within_range(scope.time(), time_range))
    values = {column: scope.value(leaf.aggregation.expr, f"metric {leaf.metric}") for column, leaf in branch.leaves}
    if shape.non_additive is not None:
        assert all(test is None for test in own.values())
    tested = {column: test for column, test in own.items() if test is not None and keys}
    marks: dict[str, exp.Expr] = {column: exp.Max(this=some(test)) for column, test in tested.items()}
    rows, found = source_rows(scope, {**key_columns, **_named(values)}, where, shape.non_additive, keys)
    return Stage(
        rows=rows,
        keys={name: found[name] for name in key_columns},
        values={
            column: aggregated(leaf, found[_value_name(column)], own[column], marks.get(column))
            for column, leaf in branch.leaves
        }
        | _sums_of_computed_values(context, branch, values, own),
        grouped=True,
        found=marks,
    )


def _sums_of_computed_values(
    context: Context, branch: Branch, values: dict[str, exp.Expr], own: dict[str, exp.Expr | None]
) -> dict[str, exp.Expr]:
    """Filtered sums of values that another leaf adds up for all rows: DuckDB works such a value out once.

    Only of these, because a value that its filter guards, against an overflow say, may fail for other rows.
    """
    if context.dialect != "duckdb":
        return {}
    computed = {values[column] for column, test in own.items() if test is None}
    sums: dict[str, exp.Expr] = {}
    for column, leaf in branch.leaves:
        test, value = own[column], values[column]
        if (
            test is not None
            and leaf.aggregation.agg == "sum"
            and value in computed
            and not isinstance(value, exp.Literal)
        ):
            total = aggregate("sum").over_rows(value)
            sums[column] = exp.Filter(this=total, expression=exp.Where(this=test.copy()))
    return sums


def aggregated(leaf: Leaf, value: exp.Expr, test: exp.Expr | None, mark: exp.Expr | None) -> exp.Expr:
    """A leaf over the rows of a group that pass its test.

    Args:
        leaf: What is aggregated.
        value: A row's value.
        test: The leaf's filters, None where all rows pass.
        mark: 1 for a group with a row that passes; None where every group has one.
    """
    entry = aggregate(leaf.aggregation.agg)
    result = entry.over_rows(when(test, value), leaf.aggregation)
    # a running total is filled where it is made, which is here if no time is asked for
    filled = leaf.running is not None and leaf.fill is not None
    if filled:
        result = exp.Coalesce(this=result, expressions=[exp.Literal.number(leaf.fill)])
    if mark is None or (entry.over_nothing is None and not filled):
        return result
    # a group without a row of this metric has no value, as if the metric had been grouped by itself
    return when(exp.EQ(this=mark.copy(), expression=exp.Literal.number(1)), result)


def within_range(moment: exp.Expr, time_range: TimeRange) -> exp.Expr:
    """Whether a moment lies in a request's time constraint."""
    return exp.and_(
        exp.GTE(this=moment.copy(), expression=timestamp(time_range.start)),
        exp.LT(this=moment.copy(), expression=timestamp(time_range.end)),
    )


def _filters(scope: Scope, leaf: Leaf) -> list[exp.Expr]:
    tests = [scope.condition(c) for c in (*leaf.own, *leaf.extra)]
    return [*tests, *known_tests(scope, leaf.known)]


def _named(values: dict[str, exp.Expr]) -> dict[str, exp.Expr]:
    return {_value_name(column): value for column, value in values.items()}


def _value_name(column: str) -> str:
    return f"{column}__value"
