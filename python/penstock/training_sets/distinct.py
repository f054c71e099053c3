"""Distinct counts by merged lifetimes: a value counts while at least one of its rows does.

The lifetimes of the rows of one key and value are put together where they touch or overlap. What is left for each is
one entry and one end, so that a running sum of them counts the values that are open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import Lifetime, Ties
from penstock.training_sets.events import Running
from penstock.training_sets.sql import column, not_null, of_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.semantic.request import Dialect
    from penstock.training_sets.resolve import Resolver
    from penstock.training_sets.values import Total


_NEVER = exp.Literal.number(2**63 - 1)


@dataclass(frozen=True)
class DistinctEvents:
    """The events of one distinct count: when values begin and cease to count for a key.

    Args:
        resolver: What the compilation shares.
        total: The distinct count.
        prefix: Put before the names of columns, so that those of several facts differ.
        ties: What comes first at one instant.
        dialect: The dialect compiled to.
    """

    resolver: Resolver
    total: Total
    prefix: str
    ties: Ties
    dialect: Dialect

    @property
    def running(self) -> list[Running]:
        """The one running sum."""
        return [Running((f"{self.prefix}_change",), "sum", f"{self.prefix}_open")]

    def finished(self) -> exp.Expr:
        """The count over the running state."""
        return column(self.running[0].state)

    def select(self, changes: Iterable[str], _spine: str) -> exp.Select:
        """The events: key, time, rank, and these columns of changes, NULL where they are another fact's."""
        enters, leaves = (exp.Literal.number(n) for n in (self.ties.enters, self.ties.leaves))
        one = exp.Literal.number(1)
        first = exp.EQ(this=column("_kind"), expression=exp.Literal.number(0))
        ends = self._lifetime().ends
        merged = self._merged() if ends else self._first_seen()
        events = of_kinds(merged, "_merged", 2 if ends else 1)
        times = [exp.If(this=exp.Literal.number(0), true=column("_begins"))]
        if ends:
            times.append(exp.If(this=exp.Literal.number(1), true=column("_ends")))
        change = exp.Case(ifs=[exp.If(this=first, true=one)], default=exp.Neg(this=one.copy()))
        rank = exp.Case(ifs=[exp.If(this=first.copy(), true=enters)], default=leaves)
        own = self.running[0].changes[0]
        return events.select(
            column("_key"),
            exp.alias_(exp.Case(this=column("_kind"), ifs=times), "_time"),
            exp.alias_(rank, "_rank"),
            *(exp.alias_(change.copy() if c == own else exp.Null(), c) for c in changes),
            copy=False,
        )

    def _first_seen(self) -> exp.Select:
        """Without an end, a value begins to count with its first row."""
        rows = exp.Select().from_(exp.alias_(exp.Subquery(this=self._rows()), "_rows", table=True), copy=False)
        begins = exp.Min(this=column("_entry"))
        rows = rows.select(column("_key"), exp.alias_(begins, "_begins"), copy=False)
        rows = rows.where(*self._there(), copy=False)
        return rows.group_by(column("_key"), column("_value"), copy=False)

    def _merged(self) -> exp.Select:
        """For each row, when a merged lifetime begins with it, and when one ends with it; NULL where none does."""
        life = self._lifetime()
        ever = life.is_ever()
        assert ever is not None
        # what is open for good ends after all times
        end = life.end() if life.length else exp.Coalesce(this=life.end(), expressions=[_NEVER.copy()])
        lives = exp.Select().from_(exp.alias_(exp.Subquery(this=self._rows()), "_rows", table=True), copy=False)
        lives = lives.select(column("_key"), column("_value"), column("_entry"), copy=False)
        lives = lives.select(exp.alias_(end, "_end"), copy=False).where(*self._there(), ever, copy=False)
        # before and after a row, in the order of entry: the last end so far, and the next entry
        so_far = exp.Select().from_(exp.alias_(exp.Subquery(this=lives), "_lives", table=True), copy=False)
        so_far = so_far.select(
            column("_key"),
            column("_entry"),
            exp.alias_(self._over(exp.Max(this=column("_end")), "1", "PRECEDING"), "_before"),
            exp.alias_(self._over(exp.Max(this=column("_end")), "CURRENT ROW", None), "_until"),
            exp.alias_(self._over(exp.Lead(this=column("_entry")), None, None), "_next"),
            copy=False,
        )
        begins = _when_apart(column("_before"), column("_entry"), column("_before"), column("_entry"))
        ends = _when_apart(column("_until"), column("_next"), column("_next"), column("_until"))
        merged = exp.Select().from_(exp.alias_(exp.Subquery(this=so_far), "_so_far", table=True), copy=False)
        return merged.select(column("_key"), exp.alias_(begins, "_begins"), exp.alias_(ends, "_ends"), copy=False)

    def _rows(self) -> exp.Select:
        model, clock = self.resolver.manifest.model(self.total.model), self.total.clock
        rows = self.resolver.rows(model).select(
            exp.alias_(self.resolver.key(model, self.total.entity), "_key"),
            exp.alias_(self.total.value.copy(), "_value"),
            exp.alias_(clock.event_time(self.dialect), "_event"),
            exp.alias_(clock.entry_time(self.dialect), "_entry"),
            copy=False,
        )
        if clock.superseded is None:
            return rows
        return rows.select(exp.alias_(clock.superseded.copy(), "_superseded"), copy=False)

    def _there(self) -> list[exp.Expr]:
        return [not_null(column(name)) for name in ("_key", "_value", "_entry")]

    def _lifetime(self) -> Lifetime:
        length = self.total.window.microseconds if self.total.window else None
        superseded = None if self.total.clock.superseded is None else column("_superseded")
        return Lifetime(column("_entry"), column("_event"), length, self.ties, superseded)

    def _over(self, function: exp.Expr, end: str | None, side: str | None) -> exp.Window:
        order = exp.Order(expressions=[exp.Ordered(this=column(c), nulls_first=True) for c in ("_entry", "_end")])
        frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end=end, end_side=side)
        keys = [column("_key"), column("_value")]
        return exp.Window(this=function, partition_by=keys, order=order, spec=frame if end else None, over="OVER")


def _when_apart(earlier: exp.Expr, later: exp.Expr, other: exp.Expr, then: exp.Expr) -> exp.Expr:
    """`then` where there is no `other`, or where `earlier` lies before `later`; lifetimes that touch are one."""
    nothing = exp.Is(this=other, expression=exp.Null())
    apart = exp.or_(nothing, exp.LT(this=earlier, expression=later), copy=False)
    return exp.Case(ifs=[exp.If(this=apart, true=then)])
