"""What can't be taken back: the rows that may count are joined to the spine's instants and aggregated.

Each fact is cut into tiles of event time as long as its longest window, so that a window lies within two tiles and the
join is one of equal keys and tiles. Every window and every clock of a fact shares the join; what a row counts for is a
condition on the row. Where all of the past counts, the join is one of equal keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import Lifetime, Ties
from penstock.training_sets.sql import column, kinds, not_null, struct
from penstock.training_sets.timeline import Step
from penstock.training_sets.values import Total

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from penstock.semantic.request import Dialect
    from penstock.training_sets.resolve import Resolver
    from penstock.training_sets.values import Newest


def from_rows(
    resolver: Resolver, name: str, *, key: str, values: Mapping[Total | Newest, str], spine: str, dialect: Dialect
) -> Step:
    """The values of one fact by one entity, for each pair of a key and an instant in the spine.

    Args:
        resolver: What the compilation shares.
        name: The name of the step.
        key: The column of the spine with the entity's keys.
        values: Values of one model, entity, event time and time after that of the row, all over windows or none, by
            their columns.
        spine: The step with the spine's rows.
        dialect: The dialect compiled to.
    """
    first = next(iter(values))
    windows = [v.window.microseconds for v in values if v.window is not None]
    assert len(windows) in (0, len(values))
    tile = max(windows, default=None)
    row: dict[exp.Expr, str] = {}

    def lifted(value: exp.Expr) -> exp.Expr:
        return column(row.setdefault(value, f"_in_{len(row)}"), "_rows")

    at = column("_time", "_asked")
    event = lifted(first.clock.event_time(dialect))
    ties = Ties(resolver.request.inclusive)
    aggregates = [exp.alias_(_aggregate(v, lifted, event, at, ties, dialect), result) for v, result in values.items()]
    rows = _rows(resolver, first, row, event.name, tile)
    on = [
        exp.EQ(this=column("_key", "_asked"), expression=column("_key", "_rows")),
        exp.LTE(this=event.copy(), expression=at.copy()),
    ]
    if tile is not None:
        on.append(exp.EQ(this=column("_tile", "_asked"), expression=column("_tile", "_rows")))
        on.append(exp.GTE(this=event.copy(), expression=_before(at, tile)))
    after = first.asked_after
    select = exp.Select().from_(exp.alias_(exp.Subquery(this=_asked(spine, key, after, tile)), "_asked", table=True))
    select = select.join(
        exp.alias_(exp.Subquery(this=rows), "_rows", table=True), on=exp.and_(*on, copy=False), copy=False
    )
    time = exp.alias_(_before(at, after), "_time") if after else at.copy()
    select = select.select(column("_key", "_asked"), time, *aggregates, copy=False)
    return Step(name, select.group_by(column("_key", "_asked"), at.copy(), copy=False))


def _aggregate(
    value: Total | Newest,
    lifted: Callable[[exp.Expr], exp.Expr],
    event: exp.Expr,
    at: exp.Expr,
    ties: Ties,
    dialect: Dialect,
) -> exp.Expr:
    """The aggregate over the rows that count at the instant."""
    length = None if value.window is None else value.window.microseconds
    superseded = None if value.clock.superseded is None else lifted(value.clock.superseded)
    counts = Lifetime(lifted(value.clock.entry_time(dialect)), event, length, ties, superseded).is_at(at)
    if isinstance(value, Total):
        counted = exp.Case(ifs=[exp.If(this=counts, true=lifted(value.value))])
        return value.law.over_rows(counted, value.spec)
    if value.test is not None:
        counts = exp.and_(counts, lifted(value.test), copy=False)
    # a struct, for the newest value is an answer where it is NULL too
    answer = exp.Case(ifs=[exp.If(this=counts, true=lifted(struct(value=value.value)))])
    order = exp.Case(ifs=[exp.If(this=counts.copy(), true=lifted(value.order(dialect)))])
    return exp.Dot(
        this=exp.Paren(this=exp.ArgMax(this=answer, expression=order)), expression=exp.to_identifier("value")
    )


def _rows(
    resolver: Resolver, first: Total | Newest, row: Mapping[exp.Expr, str], event: str, tile: int | None
) -> exp.Select:
    model = resolver.manifest.model(first.model)
    lifted = resolver.rows(model).select(exp.alias_(resolver.key(model, first.entity), "_key"), copy=False)
    lifted = lifted.select(*(exp.alias_(e.copy(), n) for e, n in row.items()), copy=False)
    rows = exp.Select().from_(exp.alias_(exp.Subquery(this=lifted), "_lifted", table=True))
    rows = rows.select(column("_key"), *map(column, row.values()), copy=False).where(
        not_null(column("_key")), copy=False
    )
    return rows if tile is None else rows.select(exp.alias_(_tile(column(event), tile), "_tile"), copy=False)


def _asked(spine: str, key: str, after: int, tile: int | None) -> exp.Select:
    """Each pair of key and instant; with tiles, once for each of the one or two of its window."""
    time = column("_time")
    asked_at = exp.alias_(exp.Add(this=time, expression=exp.Literal.number(after)), "_time") if after else time
    pairs = exp.Select().from_(spine).select(exp.alias_(column(key), "_key"), asked_at, copy=False)
    pairs = pairs.where(not_null(column(key)), not_null(column("_time")), copy=False).distinct(copy=False)
    if tile is None:
        return pairs
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
