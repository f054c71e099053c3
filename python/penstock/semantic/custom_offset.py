"""The rows of a time spine moved by periods of a custom grain: each day, and the day at which its values are shown.

The n-th day of a period is shown at the n-th day of the period some periods later; nowhere, if that one is shorter.
"""

from __future__ import annotations

from sqlglot import exp

from penstock.manifest.model import Window
from penstock.semantic.context import Context
from penstock.semantic.expressions import earlier
from penstock.semantic.names import Item
from penstock.semantic.spine import Spine
from penstock.semantic.stage import selected, subquery

_SOURCE, _SHOWN, _PERIOD, _PLACE = "source", "moment", "period", "place"


class OffsetSpine(Spine):
    """A spine whose `moment` is the one shown and whose `source` is the one that the values come from.

    Args:
        context: What the compilation shares.
        window: How many periods of which custom grain lie between the two.
        only_periods: Whether the query asks for nothing but that custom grain, which every day then has.
    """

    def __init__(self, context: Context, window: Window, *, only_periods: bool) -> None:
        grain = context.catalog.custom_grains[window.grain][0].grain
        super().__init__(context, grain)
        self.whole = False
        self.window = window
        self.only_periods = only_periods
        self.moment = exp.column(_SHOWN, self.alias)
        self.source: exp.Expr = exp.column(_SOURCE, self.alias)
        if only_periods:
            self._custom[window.grain] = exp.column(_PERIOD, self.alias)

    def item(self, item: Item) -> exp.Expr:
        if item.grain == self.grain and not item.date_part:
            return self.moment.copy()
        return super().item(item)

    def rows(self) -> exp.Select:
        select = exp.Select().from_(subquery(self._moved(), self.alias), copy=False)
        for table, on in self._joins:
            select = select.join(table, on=on, join_type="LEFT", copy=False)
        return select

    def _moved(self) -> exp.Select:
        spine, custom = self.spine, self.context.catalog.custom_grains[self.window.grain][1]
        day, period = exp.column(spine.column, "days"), exp.column(custom, "days")
        days = exp.Select().from_(self.context.table(spine.relation, "days"), copy=False)
        order = exp.Order(expressions=[exp.Ordered(this=day.copy())])
        place = exp.Window(this=exp.RowNumber(), partition_by=[period.copy()], order=order)
        numbered = selected(days, {_SOURCE: day, _PERIOD: period, _PLACE: place})
        periods = selected(
            exp.Select().from_(self.context.table(spine.relation, "days"), copy=False),
            {_PERIOD: period, "first": exp.Min(this=day), "last": exp.Max(this=day.copy())},
            group_by=1,
        )
        by_period = exp.Order(expressions=[exp.Ordered(this=exp.column(_PERIOD, "periods"))])

        def later(name: str) -> exp.Expr:
            lead = exp.Lead(this=exp.column(name, "periods"), offset=exp.Literal.number(self.window.count))
            return exp.Window(this=lead, order=by_period.copy())

        named = {"later": later(_PERIOD)} if self.only_periods else {}
        later_periods = selected(
            exp.Select().from_(subquery(periods, "periods"), copy=False),
            {_PERIOD: exp.column(_PERIOD, "periods"), **named, "first": later("first"), "last": later("last")},
        )
        first, last = exp.column("first", "moved"), exp.column("last", "moved")
        shown = _plus(first, exp.column(_PLACE, "numbered"), self.grain)
        there = exp.Case(ifs=[exp.If(this=exp.LTE(this=shown, expression=last), true=shown.copy())])
        return selected(
            exp.Select()
            .from_(subquery(numbered, "numbered"), copy=False)
            .join(
                subquery(later_periods, "moved"),
                on=exp.EQ(this=exp.column(_PERIOD, "numbered"), expression=exp.column(_PERIOD, "moved")),
                join_type="INNER",
                copy=False,
            ),
            {
                _SOURCE: exp.column(_SOURCE, "numbered"),
                _SHOWN: there,
                **({_PERIOD: exp.column("later", "moved")} if named else {}),
            },
        )


def _plus(first: exp.Expr, place: exp.Expr, grain: str) -> exp.Expr:
    """The moment `place - 1` steps after the first: an interval times a number, which both dialects know."""
    step = earlier(first, Window(1, grain))
    assert isinstance(step, exp.Sub)
    steps = exp.Paren(this=exp.Sub(this=place.copy(), expression=exp.Literal.number(1)))
    return exp.Add(this=first.copy(), expression=exp.Mul(this=steps, expression=step.expression.copy()))
