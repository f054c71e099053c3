"""Pass: running totals by moment become those of longer periods."""

from __future__ import annotations

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.semantic.stage import Stage, selected, subquery


def by_period(stage: Stage, moment: str, period_agg: str) -> Stage:
    """A running total over a longer period: its first or last value, or the mean of all.

    Args:
        stage: The totals; where they have a key called `moment`, they are by moment and are put together.
        moment: The name of that key.
        period_agg: `first`, `last` or `average`.
    """
    if moment not in stage.keys:
        return stage
    inner = stage.within("running")
    at = inner.keys.pop(moment)
    if period_agg == "average":
        inner.values = {name: aggregate("average").over_rows(v) for name, v in inner.values.items()}
        inner.grouped = True
        return inner
    order = exp.Order(expressions=[exp.Ordered(this=at, desc=period_agg == "last")])
    place = exp.Window(this=exp.RowNumber(), partition_by=[k.copy() for k in inner.keys.values()], order=order)
    ranked = selected(inner.rows, {**inner.keys, **inner.values, "place": place})
    outer = Stage(
        exp.Select().from_(subquery(ranked, "ranked"), copy=False),
        {name: exp.column(name, "ranked") for name in inner.keys},
        {name: exp.column(name, "ranked") for name in inner.values},
        grouped=False,
    )
    first = exp.EQ(this=exp.column("place", "ranked"), expression=exp.Literal.number(1))
    outer.rows = outer.rows.where(first, copy=False)
    return outer
