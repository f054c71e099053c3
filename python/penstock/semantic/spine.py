"""The rows of a time spine, one a period, and the items of time that they give."""

from __future__ import annotations

from sqlglot import exp

from penstock.semantic.context import Context
from penstock.semantic.expressions import extracted, truncated
from penstock.semantic.names import METRIC_TIME, Item, is_standard
from penstock.semantic.stage import selected, subquery


class Spine:
    """One row a period of a grain.

    Args:
        context: What the compilation shares.
        grain: A standard grain; the coarsest spine that has it is read.
        alias: The alias of its rows.
        where: The place to name in an error.
    """

    def __init__(self, context: Context, grain: str, *, alias: str = "spine", where: str = "") -> None:
        self.context = context
        self.grain = grain
        self.alias = alias
        self.spine = context.catalog.spine_for(grain, where=where)
        context.reads.spine(self.spine)
        self.whole = self.spine.grain == grain  # its table has just the rows that are wanted
        self.moment: exp.Expr = exp.column(self.spine.column if self.whole else "moment", alias)
        self._custom: dict[str, exp.Expr] = {}
        self._joins: list[tuple[exp.Expr, exp.Expr]] = []

    def rows(self) -> exp.Select:
        """The spine, nothing selected yet; to be called once all items are asked for."""
        source: exp.Expr
        if self.whole:
            source = self.context.table(self.spine.relation, self.alias)
        else:
            table = exp.Select().from_(self.context.table(self.spine.relation, self.spine.relation.alias), copy=False)
            moment = truncated(self.grain, exp.column(self.spine.column, self.spine.relation.alias))
            source = subquery(selected(table, {"moment": moment}, distinct=True), self.alias)
        select = exp.Select().from_(source, copy=False)
        for joined, on in self._joins:
            select = select.join(joined, on=on, join_type="LEFT", copy=False)
        return select

    def item(self, item: Item) -> exp.Expr:
        """An item of time for a row of the spine."""
        if item.date_part:
            return extracted(item.date_part, self.moment)
        grain = item.grain or self.grain
        if is_standard(grain):
            return self.moment.copy() if grain == self.grain and not self.whole else truncated(grain, self.moment)
        if grain not in self._custom:
            spine, column = self.context.catalog.custom_grains[grain]
            if self.whole and spine == self.spine:
                self._custom[grain] = exp.column(column, self.alias)
            else:
                alias = f"{self.alias}_{grain}"
                self.context.reads.spine(spine)
                on = exp.EQ(this=truncated(spine.grain, self.moment), expression=exp.column(spine.column, alias))
                self._joins.append((self.context.table(spine.relation, alias), on))
                self._custom[grain] = exp.column(column, alias)
        return self._custom[grain].copy()

    def start_of(self, grain: str) -> exp.Expr:
        """The first moment of the period in which a row of the spine lies."""
        if is_standard(grain):
            return truncated(grain, self.moment)
        spine, column = self.context.catalog.custom_grains[grain]
        alias = f"{grain}_starts"
        periods = exp.Select().from_(self.context.table(spine.relation, "every_one"), copy=False)
        first = exp.Min(this=exp.column(spine.column, "every_one"))
        starts = selected(periods, {"period": exp.column(column, "every_one"), "first": first}, group_by=1)
        period = self.item(Item("metric_time", (), METRIC_TIME, grain))
        on = exp.EQ(this=period, expression=exp.column("period", alias))
        self._joins.append((subquery(starts, alias), on))
        self.context.reads.spine(spine)
        return exp.column("first", alias)
