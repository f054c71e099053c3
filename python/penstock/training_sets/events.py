"""The rows of one fact as events of one entity: when each enters and leaves, and what that changes.

The fact is read once. Each row is lifted to what the events need, then repeated once a kind of event: one kind for each
clock by which rows enter, one for each length after which they leave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from penstock.algebra.lifetimes import Lifetime, Ties, change
from penstock.training_sets.knowledge import Clock
from penstock.training_sets.sql import bound, column, not_null, of_kinds, struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.semantic.durations import Duration
    from penstock.semantic.request import Dialect
    from penstock.training_sets.resolve import Resolver
    from penstock.training_sets.values import Newest, Total

Combine = Literal["sum", "count", "min", "max"]
_COMBINE = {"sum": exp.Sum, "count": exp.Count, "min": exp.Min, "max": exp.Max}


@dataclass(frozen=True)
class Running:
    """One running combination.

    Args:
        changes: The column with its changes; behind it, where the newest is kept, that of their order, or where the
            last is kept, that of their order at one instant.
        combine: How they are combined.
        state: The column of the result.
        ago: Microseconds before a row of the timeline up to which it runs; None for up to and with the row.
    """

    changes: tuple[str, ...]
    combine: Combine | Literal["newest", "last"]
    state: str
    ago: int | None = None

    @property
    def tie(self) -> str | None:
        """The column that orders changes at one instant, where their order counts."""
        return self.changes[1] if self.combine == "last" else None

    def combination(self) -> exp.Expr:
        """The aggregate over changes."""
        if self.combine == "last":
            return exp.IgnoreNulls(this=exp.LastValue(this=column(self.changes[0])))
        if self.combine == "newest":
            value, order = self.changes
            return exp.ArgMax(this=column(value), expression=column(order))
        return _COMBINE[self.combine](this=column(self.changes[0]))


@dataclass
class FactEvents:
    """The events of one fact for one entity.

    Args:
        resolver: What the compilation shares.
        model: The semantic model's name.
        entity: The entity by which its rows are taken.
        prefix: Put before the names of columns, so that those of several facts differ.
        ties: What comes first at one instant.
        after: Microseconds after the time of a row of the spine at which values are asked for.
        dialect: The dialect compiled to.
    """

    resolver: Resolver
    model: str
    entity: str
    prefix: str
    ties: Ties
    after: int
    dialect: Dialect
    running: list[Running] = field(default_factory=list)
    _row: dict[exp.Expr, str] = field(default_factory=dict)
    _times: dict[exp.Expr, int] = field(default_factory=dict)  # of each kind of event, over the lifted row
    _reach: dict[exp.Expr, int | None] = field(default_factory=dict)  # by event: the longest length, None for no end
    _leaves: set[int] = field(default_factory=set)
    _changes: dict[exp.Expr, str] = field(default_factory=dict)

    def total(self, total: Total) -> exp.Expr:
        """Have a total kept; gives its value over the running states."""
        self._reaches(total.clock, total.window)
        if total.shape == "differences":
            return self._difference(total)
        life = self._lifetime(total.clock, total.window.microseconds if total.window else None)
        retracted = life.ends
        parts = total.law.retractable if retracted else total.law.parts
        enters = self._kind(life.entry)
        leaves = self._kind(life.end(), leaves=True) if retracted else None
        states: list[exp.Expr] = []
        for part in parts:
            lift = self._lifted(part.lift(total.value))
            states.append(self._state(change(column("_kind"), enters, leaves, lift, life.is_ever()), part.combine))
        return total.law.finish(states, retracted=retracted)

    def _difference(self, total: Total) -> exp.Expr:
        """What has entered before a row's time, less what was too old by then: two running totals over one event."""
        assert total.window is not None and total.clock.lag is not None
        event = self._kind(self._lifted(total.clock.event_time(self.dialect)))
        entered = total.clock.lag + (0 if self.ties.inclusive else 1)
        # what becomes known too late never counts: then both are the same
        aged = max(total.window.microseconds + 1, entered)
        states: list[exp.Expr] = []
        for part in total.law.retractable:
            lift, combine = _counted(part.lift(total.value), part.combine)
            delta = change(column("_kind"), event, None, self._lifted(lift), None)
            newer, older = (_or_zero(self._state(delta, combine, ago)) for ago in (entered, aged))
            states.append(exp.paren(exp.Sub(this=newer, expression=older)))
        return total.law.finish(states, retracted=True)

    def newest(self, wanted: Iterable[Newest], at: exp.Expr) -> dict[Newest, exp.Expr]:
        """Have the newest row kept; gives each value over the running state and the time `at` of a row of the spine."""
        wanted = list(wanted)
        first = wanted[0]
        for value in wanted:
            # the last version is too old by its own event, and still supersedes those before it
            self._reaches(value.clock, None if value.last_known else value.window)
        event, known = (t(self.dialect) for t in (first.clock.event_time, first.clock.known_time))
        # the last version supersedes those before it when it is known, whether or not it has happened by then
        entry = self._kind(self._lifted(known if first.last_known else first.clock.entry_time(self.dialect)))
        fields = {"event": event}
        if first.until is not None:
            # the end is known as late as a beginning is, so that a row is not gone before its successor is known
            fields["until"] = Clock(first.until, delay=first.clock.delay).known_time(self.dialect)
        names: dict[exp.Expr, str] = {}
        for value in wanted:
            names.setdefault(value.value, f"value_{len(names)}")
        fields |= {name: value for value, name in names.items()}
        payload = self._at(entry, self._lifted(struct(**fields)), "newest")
        rank = self._at(entry, self._lifted(first.order(self.dialect)), "order")
        state = f"{self.prefix}_newest"
        self.running.append(Running((payload, rank), "last" if first.in_order else "newest", state))
        return {value: _if_valid(value, state, names[value.value], at, self.ties) for value in wanted}

    def select(self, changes: Iterable[str], spine: str) -> exp.Select:
        """The events: key, time, rank, and these columns of changes, NULL where they are another fact's.

        Args:
            changes: The columns of all facts.
            spine: The step with the spine's rows: what was too old before its first is left out.
        """
        model = self.resolver.manifest.model(self.model)
        key = self.resolver.key(model, self.entity)
        lifted = self.resolver.rows(model).select(exp.alias_(key, "_key"), copy=False)
        lifted = lifted.select(*(exp.alias_(e.copy(), n) for e, n in self._row.items()), copy=False)
        own = {name: e for e, name in self._changes.items()}
        time = exp.Case(
            this=column("_kind"),
            ifs=[exp.If(this=exp.Literal.number(i), true=t.copy()) for t, i in self._times.items()],
        )
        events = of_kinds(lifted, "_lifted", len(self._times))
        if len(self._reach) == 1 and None not in self._reach.values():
            ((event, length),) = self._reach.items()
            oldest = exp.Sub(this=bound(spine, exp.Min, self.after), expression=exp.Literal.number(length))
            events = events.where(exp.GTE(this=event.copy(), expression=oldest), copy=False)
        return events.select(
            column("_key"),
            exp.alias_(time, "_time"),
            exp.alias_(self._rank(), "_rank"),
            *(exp.alias_(own[c].copy() if c in own else exp.Null(), c) for c in changes),
            copy=False,
        ).where(not_null(column("_key")), copy=False)

    def _reaches(self, clock: Clock, length: Duration | None) -> None:
        """Note how long after its event a row may count."""
        event = self._lifted(clock.event_time(self.dialect))
        before = self._reach.get(event, 0)
        longer = None if before is None or length is None else max(before, length.microseconds)
        self._reach[event] = longer

    def _rank(self) -> exp.Expr:
        enters, leaves = (exp.Literal.number(n) for n in (self.ties.enters, self.ties.leaves))
        if not self._leaves or self.ties.enters == self.ties.leaves:
            return enters
        left = exp.In(this=column("_kind"), expressions=[exp.Literal.number(i) for i in sorted(self._leaves)])
        return exp.Case(ifs=[exp.If(this=left, true=leaves)], default=enters)

    def _lifetime(self, clock: Clock, length: int | None) -> Lifetime:
        event = self._lifted(clock.event_time(self.dialect))
        superseded = None if clock.superseded is None else self._lifted(clock.superseded)
        return Lifetime(self._lifted(clock.entry_time(self.dialect)), event, length, self.ties, superseded)

    def _lifted(self, value: exp.Expr) -> exp.Expr:
        """The column of the lifted row that holds a value."""
        return column(self._row.setdefault(value, f"_in_{len(self._row)}"))

    def _kind(self, time: exp.Expr, *, leaves: bool = False) -> int:
        number = self._times.setdefault(time, len(self._times))
        if leaves:
            self._leaves.add(number)
        return number

    def _state(self, delta: exp.Expr, combine: Combine, ago: int | None = None) -> exp.Expr:
        name = self._changes.setdefault(delta, f"{self.prefix}_change_{len(self._changes)}")
        state = f"{name}_{combine}" if ago is None else f"{name}_{combine}_{ago}"
        found = Running((name,), combine, state, ago)
        if found not in self.running:
            self.running.append(found)
        return column(state)

    def _at(self, kind: int, value: exp.Expr, name: str) -> str:
        test = exp.EQ(this=column("_kind"), expression=exp.Literal.number(kind))
        return self._changes.setdefault(exp.Case(ifs=[exp.If(this=test, true=value)]), f"{self.prefix}_{name}_row")


def _counted(lift: exp.Expr, combine: Combine) -> tuple[exp.Expr, Combine]:
    """A sum of ones and zeros as a count of the ones, which DuckDB keeps in a quarter of the time."""
    if combine == "sum" and isinstance(lift, exp.Case) and not lift.this:
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        if lift.args.get("default") == zero and all(case.args["true"] == one for case in lift.args["ifs"]):
            return exp.Case(ifs=[case.copy() for case in lift.args["ifs"]]), "count"
    return lift, combine


def _or_zero(state: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=state, expressions=[exp.Literal.number(0)])


def _if_valid(wanted: Newest, state: str, name: str, at: exp.Expr, ties: Ties) -> exp.Expr:
    """The newest row's value, unless the row is too old by then, or valid no more."""
    value = column(name, state)
    tests: list[exp.Expr] = []
    ends = exp.LT if ties.inclusive else exp.LTE
    if wanted.window is not None:
        oldest = exp.Sub(this=at.copy(), expression=exp.Literal.number(wanted.window.microseconds))
        tests.append(exp.GTE(this=column("event", state), expression=oldest))
    if wanted.last_known:
        happened = exp.LTE if ties.inclusive else exp.LT
        tests.append(happened(this=column("event", state), expression=at.copy()))
    if wanted.until is not None:
        until = column("until", state)
        is_open = exp.Is(this=until, expression=exp.Null())
        tests.append(exp.paren(exp.or_(is_open, ends(this=at.copy(), expression=until.copy()), copy=False)))
    if not tests:
        return value
    return exp.Case(ifs=[exp.If(this=exp.and_(*tests, copy=False), true=value)])
