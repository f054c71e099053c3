"""Aggregates that can't be taken back: the rows of each window are joined to the spine's instants and aggregated.

Each fact is cut into tiles of event time as long as its longest window, so that a window lies within two tiles and the
join is one of equal keys and tiles. Every window and every clock of a fact shares the join; what a row counts for is a
condition on the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import Lifetime, Ties
from penstock.training_sets.sql import column, kinds, not_null
from penstock.training_sets.timeline import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.semantic.request import Dialect
    from penstock.training_sets.resolve import Resolver, Total


def from_rows(
    resolver: Resolver, name: str, *, key: str, values: Mapping[Total, str], spine: str, dialect: Dialect
) -> Step:
    """The values of one fact by one entity, for each pair of a key and an instant in the spine.

    Args:
        resolver: What the compilation shares.
        name: The name of the step.
        key: The column of the spine with the entity's keys.
        values: Totals of one model, entity, event time and time after that of the row, by their columns.
        spine: The step with the spine's rows.
        dialect: The dialect compiled to.
    """
    totals = list(values)
    after = totals[0].asked_after
    tile = max(t.window.microseconds for t in totals if t.window is not None)
    ties = Ties(resolver.request.inclusive)
    row: dict[exp.Expr, str] = {}

    def lifted(value: exp.Expr) -> exp.Expr:
        return column(row.setdefault(value, f"_in_{len(row)}"), "_rows")

    at = column("_time", "_asked")
    event = lifted(totals[0].clock.event_time(dialect))
    aggregates: list[exp.Expr] = []
    for total, result in values.items():
        assert total.window is not None
        life = Lifetime(lifted(total.clock.entry_time(dialect)), event, total.window.microseconds, ties)
        counted = exp.Case(ifs=[exp.If(this=life.is_at(at), true=lifted(total.value))])
        aggregates.append(exp.alias_(total.law.over_rows(counted, total.spec), result))
    rows = _rows(resolver, totals[0], row, event.name, tile)
    on = exp.and_(
        exp.EQ(this=column("_key", "_asked"), expression=column("_key", "_rows")),
        exp.EQ(this=column("_tile", "_asked"), expression=column("_tile", "_rows")),
        exp.LTE(this=event.copy(), expression=at.copy()),
        exp.GTE(this=event.copy(), expression=_before(at, tile)),
        copy=False,
    )
    select = exp.Select().from_(exp.alias_(exp.Subquery(this=_asked(spine, key, after, tile)), "_asked", table=True))
    select = select.join(exp.alias_(exp.Subquery(this=rows), "_rows", table=True), on=on, copy=False)
    time = exp.alias_(_before(at, after), "_time") if after else at.copy()
    select = select.select(column("_key", "_asked"), time, *aggregates, copy=False)
    return Step(name, select.group_by(column("_key", "_asked"), at.copy(), copy=False))


def _rows(resolver: Resolver, first: Total, row: Mapping[exp.Expr, str], event: str, tile: int) -> exp.Select:
    scope = resolver.scope(resolver.manifest.model(first.model))
    key = resolver.key(scope.model, first.entity)
    lifted = scope.rows().select(exp.alias_(key.copy(), "_key"), copy=False)
    lifted = lifted.select(*(exp.alias_(e.copy(), n) for e, n in row.items()), copy=False)
    lifted = lifted.where(not_null(key), copy=False)
    rows = exp.Select().from_(exp.alias_(exp.Subquery(this=lifted), "_lifted", table=True))
    return rows.select(column("_key"), *map(column, row.values()), copy=False).select(
        exp.alias_(_tile(column(event), tile), "_tile"), copy=False
    )


def _asked(spine: str, key: str, after: int, tile: int) -> exp.Select:
    """Each pair of key and instant, once for each of the one or two tiles of its window."""
    time = column("_time")
    asked_at = exp.alias_(exp.Add(this=time, expression=exp.Literal.number(after)), "_time") if after else time
    pairs = exp.Select().from_(spine).select(exp.alias_(column(key), "_key"), asked_at, copy=False)
    pairs = pairs.where(not_null(column(key)), not_null(column("_time")), copy=False).distinct(copy=False)
    at = column("_time")
    this, last = _tile(at, tile), _tile(exp.Paren(this=_before(at, tile)), tile)
    first = exp.EQ(this=column("_kind"), expression=exp.Literal.number(0))
    asked = exp.Select().from_(exp.alias_(exp.Subquery(this=pairs), "_pairs", table=True))
    asked.append("joins", kinds(2))
    asked = asked.select(column("_key"), at, copy=False)
    asked = asked.select(exp.alias_(exp.Case(ifs=[exp.If(this=first, true=this)], default=last), "_tile"), copy=False)
    return asked.where(exp.or_(first.copy(), exp.NEQ(this=this.copy(), expression=last.copy()), copy=False), copy=False)


def _tile(time: exp.Expr, tile: int) -> exp.Expr:
    return exp.IntDiv(this=time.copy(), expression=exp.Literal.number(tile))


def _before(time: exp.Expr, length: int) -> exp.Expr:
    return exp.Sub(this=time.copy(), expression=exp.Literal.number(length))
