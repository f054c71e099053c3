"""Lifetimes: from when to when a row counts.

A row enters an answer when it is known and has happened, and leaves it a window after it happened, or when a later
version of it is known. On a timeline that
mixes such events with the instants asked about, one running combination per entity answers every question of what
was known when. All times are whole microseconds since 1970 (BIGINT), so that lengths add up alike on every engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Ties:
    """Who comes first at one instant: rows that become known, the instants asked about, or rows that leave.

    Args:
        inclusive: A row known at the very instant asked about counts.

    Example:
        >>> Ties(inclusive=False).asked, Ties(inclusive=False).enters
        (0, 1)
    """

    inclusive: bool

    @property
    def enters(self) -> int:
        """The rank of a row that enters."""
        return 0 if self.inclusive else 1

    @property
    def asked(self) -> int:
        """The rank of an instant asked about."""
        return 1 if self.inclusive else 0

    @property
    def leaves(self) -> int:
        """The rank of a row that leaves: it still counts at its last instant."""
        return 2 if self.inclusive else 1

    def since(self, time: exp.Expr, rank: exp.Expr) -> exp.Expr:
        """From when on an event of that time and rank is past; one after what is asked is so a microsecond later."""
        if not self.inclusive:
            return time.copy()
        later = exp.GT(this=rank.copy(), expression=exp.Literal.number(self.asked))
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        return exp.Add(this=time.copy(), expression=exp.Case(ifs=[exp.If(this=later, true=one)], default=zero))

    def is_past(self, since: exp.Expr, instant: exp.Expr) -> exp.Expr:
        """Whether what is past from `since` on is so at an instant asked about."""
        compare = exp.GTE if self.inclusive else exp.GT
        return compare(this=instant.copy(), expression=since.copy())


@dataclass(frozen=True)
class Lifetime:
    """The instants at which a row counts: from its entry to `length` after its event, or until it is superseded.

    Args:
        entry: When it enters, of `entry_of`.
        event: When it happened.
        length: Microseconds after its event at which it leaves; None for never.
        ties: What counts at the very instant of entry.
        superseded: When a later version of the row is known, NULL for never; None where rows have no versions.
    """

    entry: exp.Expr
    event: exp.Expr
    length: int | None
    ties: Ties
    superseded: exp.Expr | None = None

    @property
    def ends(self) -> bool:
        """Whether rows cease to count."""
        return self.length is not None or self.superseded is not None

    def end(self) -> exp.Expr:
        """The last instant at which it counts; NULL for none, which only a row that is not superseded has."""
        last = self._last_version()
        if self.length is None:
            if last is None:
                raise ValueError("a lifetime without a length has no end")
            return last
        aged = exp.Add(this=self.event.copy(), expression=exp.Literal.number(self.length))
        if last is None:
            return aged
        sooner = exp.LT(this=last, expression=aged.copy())
        return exp.Case(ifs=[exp.If(this=sooner, true=last.copy())], default=aged)

    def is_ever(self) -> exp.Expr | None:
        """Whether there is an instant at which it counts: what becomes known too late never enters. None for always."""
        if not self.ends:
            return None
        before_end = self._known_by(self.end())
        if self.length is not None:
            return before_end
        return exp.or_(exp.Is(this=self.end(), expression=exp.Null()), before_end, copy=False)

    def is_at(self, instant: exp.Expr) -> exp.Expr:
        """Whether it counts at `instant`, said of one row rather than by a running sum."""
        tests = [self._known_by(instant)]
        if self.length is not None:
            oldest = exp.Sub(this=instant.copy(), expression=exp.Literal.number(self.length))
            tests.append(exp.GTE(this=self.event.copy(), expression=oldest))
        last = self._last_version()
        if last is not None:
            still = exp.LTE(this=instant.copy(), expression=last)
            tests.append(exp.paren(exp.or_(exp.Is(this=last.copy(), expression=exp.Null()), still, copy=False)))
        return exp.and_(*tests, copy=False)

    def _last_version(self) -> exp.Expr | None:
        """The last instant before its next version counts: times are whole, so under `inclusive` the one before."""
        if self.superseded is None:
            return None
        if not self.ties.inclusive:
            return self.superseded.copy()
        return exp.Sub(this=self.superseded.copy(), expression=exp.Literal.number(1))

    def _known_by(self, instant: exp.Expr) -> exp.Expr:
        compare = exp.LTE if self.ties.inclusive else exp.LT
        return compare(this=self.entry.copy(), expression=instant.copy())


def entry_of(event: exp.Expr, known_at: exp.Expr) -> exp.Expr:
    """When a row enters: the later of its event and of when it is known; NULL, for never, where either is NULL.

    Engines differ in what GREATEST makes of NULL, hence the CASE.

    Example:
        >>> entry_of(exp.column("e"), exp.column("k")).sql()
        'CASE WHEN k > e THEN k WHEN k <= e THEN e END'
    """
    later = exp.GT(this=known_at.copy(), expression=event.copy())
    sooner = exp.LTE(this=known_at.copy(), expression=event.copy())
    return exp.Case(ifs=[exp.If(this=later, true=known_at.copy()), exp.If(this=sooner, true=event.copy())])


def change(kind: exp.Expr, enters: int, leaves: int | None, lift: exp.Expr, ever: exp.Expr | None) -> exp.Expr:
    """What an event does to a running state: entering adds the row's state, leaving takes it back, others do nothing.

    Args:
        kind: The number of the kind of event.
        enters: The kind at which the row enters.
        leaves: The kind at which it leaves; None for never.
        lift: The state of the row.
        ever: Whether the row counts at all; None for always.
    """
    steps = [exp.If(this=exp.Literal.number(enters), true=lift.copy())]
    if leaves is not None:
        steps.append(exp.If(this=exp.Literal.number(leaves), true=exp.Neg(this=lift.copy())))
    moves = exp.Case(this=kind.copy(), ifs=steps)
    return moves if ever is None else exp.Case(ifs=[exp.If(this=ever.copy(), true=moves)])


def past(name: str, key: Sequence[exp.Expr], order: Sequence[exp.Expr]) -> exp.Window:
    """A named window for running combinations: everything of one key up to and with the current row."""
    ordered = [exp.Ordered(this=c.copy(), desc=False, nulls_first=True) for c in order]
    frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
    return exp.Window(
        this=exp.to_identifier(name),
        partition_by=[k.copy() for k in key],
        order=exp.Order(expressions=ordered),
        spec=frame,
    )


def past_until(name: str, key: Sequence[exp.Expr], time: exp.Expr, ago: int) -> exp.Window:
    """A named window for running combinations: everything of one key up to so many microseconds before a row."""
    frame = exp.WindowSpec(
        kind="RANGE",
        start="UNBOUNDED",
        start_side="PRECEDING",
        end=exp.Literal.number(ago),
        end_side="PRECEDING",
    )
    return exp.Window(
        this=exp.to_identifier(name),
        partition_by=[k.copy() for k in key],
        order=exp.Order(expressions=[exp.Ordered(this=time.copy(), desc=False, nulls_first=True)]),
        spec=frame,
    )


def so_far(name: str, key: Sequence[exp.Expr], time: exp.Expr) -> exp.Window:
    """A named window for running combinations: everything of one key up to and with the instant of the current row."""
    return exp.Window(
        this=exp.to_identifier(name),
        partition_by=[k.copy() for k in key],
        order=exp.Order(expressions=[exp.Ordered(this=time.copy(), desc=False, nulls_first=True)]),
        spec=exp.WindowSpec(kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
    )


def running(combination: exp.Expr, window: str) -> exp.Window:
    """An aggregate over the named window."""
    return exp.Window(this=combination, alias=exp.to_identifier(window), over="OVER")
