"""Pass: a row for every period of the time spine, whether the leaf has rows in it or not."""

from __future__ import annotations

from sqlglot import exp

from penstock.semantic.context import Context
from penstock.semantic.expressions import all_of
from penstock.semantic.names import GRAINS, Item, finer_or_same, is_standard
from penstock.semantic.plain import within_range
from penstock.semantic.plan import Shape, TimeRange, is_metric_time
from penstock.semantic.resolve import Condition, items_in, reference_item
from penstock.semantic.spine import Spine
from penstock.semantic.stage import Stage, selected, subquery
from penstock.semantic.templates import Reference


def joined_to_spine(
    context: Context, stage: Stage, shape: Shape, keys: tuple[Item, ...], time_range: TimeRange | None
) -> Stage:
    """The stage with rows for the periods that it lacks, their values NULL.

    Filters on time choose the periods. Filters on other keys are applied again, since a new row has NULL there.
    """
    catalog = context.catalog
    times = tuple(k for k in keys if is_metric_time(catalog, k, shape.model, shape.time_dimension))
    grains = tuple(k.grain for k in times if k.grain)
    first, *others = sorted(times, key=lambda k: _rank(context, k))
    # a period is told by its finest key, unless another one cuts across it
    telling = [first, *(k for k in others if not _follows(context, first, k))]
    spine = Spine(context, catalog.spine_for(catalog.finest_of(grains) if grains else "day", where="").grain)
    periods_keys = {k.column: spine.item(k) for k in times}
    asked = (*shape.own, *shape.extra, *(c for s in shape.shifts[-1:] for c in s.conditions))
    again = (*shape.extra, *(c for s in shape.shifts[-1:] for c in s.conditions))
    tests = [_on_spine(context, spine, shape, c) for c in asked if _only_time(context, shape, c)]
    if time_range is not None:
        tests.append(within_range(spine.moment, time_range))
    rows = spine.rows()
    test = all_of(tests)
    if test is not None:
        rows = rows.where(test, copy=False)
    unique = any(k.grain == spine.spine.grain for k in times)
    periods = selected(rows, periods_keys, distinct=not unique)
    joined = (
        exp.Select()
        .from_(subquery(periods, "periods"), copy=False)
        .join(
            subquery(stage.select(), "found"),
            on=all_of(
                exp.EQ(this=exp.column(k.column, "periods"), expression=exp.column(k.column, "found")) for k in telling
            ),
            join_type="LEFT",
            copy=False,
        )
    )
    columns: dict[str, exp.Expr] = {k.column: exp.column(k.column, "periods" if k in times else "found") for k in keys}
    repeated = [_on_keys(context, shape, c, keys, columns) for c in again if not _only_time(context, shape, c)]
    test = all_of(t for t in repeated if t is not None)
    if test is not None:
        joined = joined.where(test, copy=False)
    return Stage(joined, columns, {name: exp.column(name, "found") for name in stage.values}, grouped=False)


def _rank(context: Context, item: Item) -> tuple[int, bool]:
    """Finest first, a standard grain before a custom one, date parts last."""
    if item.grain is None:
        return len(GRAINS), False
    return GRAINS.index(context.catalog.standard(item.grain)), not is_standard(item.grain)


def _follows(context: Context, first: Item, other: Item) -> bool:
    """Whether the period of the first item tells that of the other."""
    if first.grain is None or not is_standard(first.grain):
        return False
    if other.grain is None:
        return finer_or_same(first.grain, "day")
    if first.grain == "week" and other.grain in ("month", "quarter", "year"):
        return False
    return is_standard(other.grain) or finer_or_same(first.grain, context.catalog.standard(other.grain))


def _only_time(context: Context, shape: Shape, condition: Condition) -> bool:
    items = items_in(context.catalog, shape.model, condition)
    return bool(items) and all(
        is_metric_time(context.catalog, i, shape.model, shape.time_dimension) for i in items or ()
    )


def _on_spine(context: Context, spine: Spine, shape: Shape, condition: Condition) -> exp.Expr:
    def column(reference: Reference) -> exp.Expr:
        where = f"{condition.where}: {condition.filter.text}"
        return spine.item(reference_item(context.catalog, (shape.model,), reference, condition.default_grain, where))

    return condition.bind(column)


def _on_keys(
    context: Context, shape: Shape, condition: Condition, keys: tuple[Item, ...], columns: dict[str, exp.Expr]
) -> exp.Expr | None:
    """The condition over the output's keys; None where it looks at anything else."""
    items = items_in(context.catalog, shape.model, condition)
    if not items or not all(i in keys for i in items):
        return None

    def column(reference: Reference) -> exp.Expr:
        item = reference_item(context.catalog, (shape.model,), reference, condition.default_grain, condition.where)
        return columns[item.column]

    return condition.bind(column)
