"""One entity's timeline: the spine's rows among the events of all facts, and one pass of running combinations over it.

The spine's rows travel through whole, as one struct, so that nothing has to be joined back to them and no row can be
lost, doubled or mistaken for another, however often an engine evaluates a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import Ties, past, past_until, running
from penstock.training_sets.distinct import DistinctEvents
from penstock.training_sets.events import FactEvents, Running
from penstock.training_sets.resolve import Resolver
from penstock.training_sets.sql import bound, column
from penstock.training_sets.values import Newest, Total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.semantic.request import Dialect

_PAST = "_past"


@dataclass(frozen=True)
class Step:
    """One common table expression."""

    name: str
    select: exp.Query


def timeline(
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
    """The steps that add an entity's values to the rows of `upstream`.

    Args:
        resolver: What the compilation shares.
        entity: The entity.
        key: The column of `upstream` with its keys.
        values: The values to add, by their columns.
        upstream: The step before, with the columns `carried`, of which `_time` is one.
        spine: The step with the spine's rows.
        carried: The columns to hand on.
        after: Microseconds after `_time` at which the values are asked for.
        dialect: The dialect compiled to.
    """
    name = f"_{entity}_{after}_after" if after else f"_{entity}"
    ties = Ties(resolver.request.inclusive)
    facts, finished = events_of(resolver, entity, values, ties, after, column("_time"), dialect)
    runs = [r for fact in facts for r in fact.running]
    changes = list(dict.fromkeys(c for r in runs for c in r.changes))
    branches: list[exp.Select] = [_asked(upstream, carried, key, changes, ties, after)]
    for fact in facts:
        events = exp.Select().from_(exp.alias_(exp.Subquery(this=fact.select(changes, spine)), "_events", table=True))
        nothing = [column("_time") if c == "_time" else exp.alias_(exp.Null(), c) for c in carried]
        events = events.select(*nothing, column("_key"), column("_rank"), *map(column, changes), copy=False)
        # what happens after the last instant that is asked about changes nothing; nor does what never happens
        last = bound(spine, exp.Max, after)
        branches.append(events.where(exp.LTE(this=column("_time"), expression=last), copy=False))
    union: exp.Query = branches[0]
    for branch in branches[1:]:
        union = exp.union(union, branch, distinct=False, copy=False)
    ran = exp.Select().from_(f"{name}_timeline").select(*map(column, carried), column("_rank"), copy=False)
    ran = ran.select(*(exp.alias_(running(r.combination(), _past(r)), r.state) for r in runs), copy=False)
    for window in _windows(runs):
        ran.append("windows", window)
    done = exp.Select().from_(f"{name}_past").select(*_shifted(carried, -after), copy=False)
    done = done.select(*(exp.alias_(finished[v], result) for v, result in values.items()), copy=False)
    done = done.where(exp.EQ(this=column("_rank"), expression=exp.Literal.number(ties.asked)), copy=False)
    return [Step(f"{name}_timeline", union), Step(f"{name}_past", ran), Step(f"_by{name}", done)]


def events_of(
    resolver: Resolver,
    entity: str,
    values: Mapping[Total | Newest, str],
    ties: Ties,
    after: int,
    at: exp.Expr,
    dialect: Dialect,
) -> tuple[list[FactEvents | DistinctEvents], dict[Total | Newest, exp.Expr]]:
    """The events of each fact and of each distinct count, and every value over their running states.

    Args:
        resolver: What the compilation shares.
        entity: The entity.
        values: The values that are wanted.
        ties: What comes first at one instant.
        after: Microseconds after the time of a row of the spine at which they are asked for.
        at: The instant for which they are asked.
        dialect: The dialect compiled to.
    """
    facts: dict[str, FactEvents] = {}
    counts: list[DistinctEvents] = []
    newest: dict[str, list[Newest]] = {}
    finished: dict[Total | Newest, exp.Expr] = {}
    for value in values:
        if isinstance(value, Total) and value.law.by_key:
            counts.append(DistinctEvents(resolver, value, f"_d{len(counts)}", ties, dialect))
            finished[value] = counts[-1].finished()
            continue
        if value.model not in facts:
            facts[value.model] = FactEvents(resolver, value.model, entity, f"_f{len(facts)}", ties, after, dialect)
        if isinstance(value, Total):
            finished[value] = facts[value.model].total(value)
        else:
            newest.setdefault(value.model, []).append(value)
    for model, group in newest.items():
        for wanted, expression in facts[model].newest(group, at).items():
            finished[wanted] = expression
    return [*facts.values(), *counts], finished


def _past(run: Running) -> str:
    return _PAST if run.ago is None else f"{_PAST}_{run.ago}"


def _windows(runs: Sequence[Running]) -> list[exp.Window]:
    key, time = column("_key"), column("_time")
    windows: dict[str, exp.Window] = {}
    if any(r.ago is None for r in runs):
        ties = [column(r.tie) for r in runs if r.tie is not None]
        windows[_PAST] = past(_PAST, [key], [time, column("_rank"), *ties])
    for run in runs:
        if run.ago is not None:
            windows.setdefault(_past(run), past_until(_past(run), [key], time, run.ago))
    return list(windows.values())


def _asked(
    upstream: str, carried: Sequence[str], key: str, changes: Sequence[str], ties: Ties, after: int
) -> exp.Select:
    select = exp.Select().from_(upstream).select(*_shifted(carried, after), copy=False)
    return select.select(
        exp.alias_(column(key), "_key"),
        exp.alias_(exp.Literal.number(ties.asked), "_rank"),
        *(exp.alias_(exp.Null(), c) for c in changes),
        copy=False,
    )


def _shifted(carried: Sequence[str], by: int) -> list[exp.Expr]:
    """The columns to hand on, with another time where values are asked for after it."""
    later = exp.alias_(exp.Add(this=column("_time"), expression=exp.Literal.number(by)), "_time")
    return [later if by and c == "_time" else column(c) for c in carried]
