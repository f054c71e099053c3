"""One entity's values by as-of joins: the states of each key, since when each holds, and the spine's rows beside them.

The spine is not sorted among the events, so that running combinations are taken of the facts' rows alone. Only DuckDB
has such a join; other engines read its words as an alias and join everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import Ties, running, so_far
from penstock.training_sets.sql import bound, column, not_null
from penstock.training_sets.timeline import Step, events_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.semantic.request import Dialect
    from penstock.training_sets.distinct import DistinctEvents
    from penstock.training_sets.events import FactEvents, Running
    from penstock.training_sets.resolve import Resolver
    from penstock.training_sets.values import Newest, Total

_ASKED, _EVENTS, _SINCE = "_asked", "_events", "_since"


@dataclass
class _States:
    """A step with states, and how it is read: by microseconds before the instant asked about, which column as which."""

    step: Step
    read: dict[int | None, dict[str, str]] = field(default_factory=dict)


def as_of_joins(
    resolver: Resolver,
    entity: str,
    *,
    key: str,
    values: Mapping[Total | Newest, str],
    upstream: str,
    spine: str,
    carried: Sequence[str],
    after: int,
    dialect: Dialect,
) -> list[Step]:
    """The steps that add an entity's values to the rows of `upstream`; the arguments are those of `timeline`."""
    name = f"_{entity}_{after}_after" if after else f"_{entity}"
    ties = Ties(resolver.request.inclusive)
    facts, finished = events_of(resolver, entity, values, ties, after, _later(after), dialect)
    steps: list[Step] = []
    joined = exp.Select().from_(exp.alias_(exp.to_table(upstream), _ASKED, table=True), copy=False)
    joined = joined.select(*(column(c, _ASKED) for c in carried), copy=False)
    for i, fact in enumerate(facts):
        events = Step(f"{name}_{i}_events", _events(fact, spine, ties, after))
        states = _states(events.name, fact.running)
        steps += [events, *(s.step for s in states)]
        for relation in states:
            for ago, columns in relation.read.items():
                alias = relation.step.name if ago is None else f"{relation.step.name}_{ago}"
                read = exp.alias_(exp.to_table(relation.step.name), alias, table=True)
                on = [
                    exp.EQ(this=column(key, _ASKED), expression=column("_key", alias)),
                    _holds(_later(after, _ASKED), ago, column(_SINCE, alias), ties),
                ]
                joined.append("joins", exp.Join(this=read, method="ASOF", side="LEFT", on=exp.and_(*on, copy=False)))
                joined = joined.select(*(exp.alias_(column(c, alias), as_) for c, as_ in columns.items()), copy=False)
    done = exp.Select().from_(f"{name}_past").select(*map(column, carried), copy=False)
    done = done.select(*(exp.alias_(finished[v], result) for v, result in values.items()), copy=False)
    return [*steps, Step(f"{name}_past", joined), Step(f"_by{name}", done)]


def _events(fact: FactEvents | DistinctEvents, spine: str, ties: Ties, after: int) -> exp.Select:
    """What changes for a key, and since when that holds."""
    changes = list(dict.fromkeys(c for r in fact.running for c in r.changes))
    events = exp.Select().from_(exp.alias_(exp.Subquery(this=fact.select(changes, spine)), _EVENTS, table=True))
    events = events.select(
        column("_key"), exp.alias_(ties.since(column("_time"), column("_rank")), _SINCE), *map(column, changes)
    )
    last = bound(spine, exp.Max, after)
    return events.where(exp.LTE(this=column("_time"), expression=last), copy=False)


def _states(events: str, runs: Sequence[Running]) -> list[_States]:
    """The states by events: one step for what is combined, one for what is merely the last."""
    found: list[_States] = []
    combined = [r for r in runs if r.tie is None]
    if combined:
        names = {(r.changes, r.combine): f"{r.changes[0]}_{r.combine}" for r in combined}
        select = exp.Select().from_(events).select(column("_key"), column(_SINCE), copy=False)
        by_name = {names[r.changes, r.combine]: r.combination() for r in combined}
        select = select.select(*(exp.alias_(running(c, "_past"), n) for n, c in by_name.items()), copy=False)
        select.append("windows", so_far("_past", [column("_key")], column(_SINCE)))
        states = _States(Step(f"{events}_states", select))
        for run in combined:
            states.read.setdefault(run.ago, {})[names[run.changes, run.combine]] = run.state
        found.append(states)
    for run in runs:
        if run.tie is not None:
            payload = run.changes[0]
            step = Step(f"{events}_last", _last(events, payload, run.tie))
            found.append(_States(step, {run.ago: {payload: run.state}}))
    return found


def _last(events: str, payload: str, tie: str) -> exp.Select:
    """The rows that are the last of their instant; where two are left, an as-of join would take any of them."""
    order = exp.Order(expressions=[exp.Ordered(this=column(c), nulls_first=True) for c in (_SINCE, tie)])
    following = exp.Window(this=exp.Lead(this=column(_SINCE)), partition_by=[column("_key")], order=order, over="OVER")
    is_last = exp.NullSafeNEQ(this=following, expression=column(_SINCE))
    last = exp.Select().from_(events).select(column("_key"), column(_SINCE), column(payload), copy=False)
    last = last.where(not_null(column(payload)), copy=False)
    last.set("qualify", exp.Qualify(this=is_last))
    return last


def _holds(at: exp.Expr, ago: int | None, start: exp.Expr, ties: Ties) -> exp.Expr:
    """Whether a state holds at an instant that is asked about, or so long before it."""
    if ago is None:
        return ties.is_past(start, at)
    before = exp.Sub(this=at, expression=exp.Literal.number(ago))
    return exp.GTE(this=before, expression=start)


def _later(after: int, table: str | None = None) -> exp.Expr:
    """The instant asked about."""
    time = column("_time", table)
    return exp.Add(this=time, expression=exp.Literal.number(after)) if after else time
