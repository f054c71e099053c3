"""Pass: the rows that what is shown at some moments can need at all, told by the bare column of time.

Engines skip files and blocks by it, which they can't by the period that a running total, an offset or a conversion is
joined by.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from penstock.manifest.model import Window
from penstock.semantic.calendar import next_period, start_of_period, text_of
from penstock.semantic.expressions import earlier, later, timestamp
from penstock.semantic.leaves import Running
from penstock.semantic.names import is_standard
from penstock.semantic.periods import written_moment

_COMPARED = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)
# below them a length of time isn't known to every engine
_LENGTHS = ("minute", "hour", "day", "week", "month", "quarter", "year")
# as many days as they have at most
_DAYS = {"month": 31, "quarter": 92, "year": 366}


@dataclass(frozen=True)
class Limits:
    """Moments that are written down, of which none that counts comes before (`least`) or after (`most`)."""

    least: tuple[dt.datetime, ...] = ()
    most: tuple[dt.datetime, ...] = ()


def limits_of(moment: exp.Expr, tests: Iterable[exp.Expr]) -> Limits:
    """What tests say about a moment, as far as they compare it with what is written down.

    Args:
        moment: A column.
        tests: Conditions that all hold.
    """
    least, most = [], []
    for test in _parts(tests):
        limit = written_moment(test.right) if isinstance(test, _COMPARED) and test.left == moment else None
        if limit is None:
            continue
        if not isinstance(test, (exp.LT, exp.LTE)):
            least.append(limit)
        if isinstance(test, exp.LT) and limit > dt.datetime.min:
            most.append(limit - dt.timedelta(microseconds=1))
        elif isinstance(test, (exp.LTE, exp.EQ)):
            most.append(limit)
    return Limits(tuple(least), tuple(most))


def _parts(tests: Iterable[exp.Expr]) -> Iterator[exp.Expr]:
    for test in tests:
        bare = test.unnest()
        if isinstance(bare, exp.And):
            yield from _parts((bare.left, bare.right))
        else:
            yield bare


def reach_of_total(time: exp.Expr, base: str, running: Running, shown: Limits) -> list[exp.Expr]:
    """Conditions that hold for every row of running totals, and for few others.

    Args:
        time: The time of a row, as its column has it.
        base: The grain of the periods by which totals are made.
        running: How far a total looks back.
        shown: The limits of the moments at which totals are shown.
    """
    if base not in _LENGTHS:
        return []
    tests: list[exp.Expr] = [exp.LT(this=time.copy(), expression=_end(base, most)) for most in shown.most]
    for least in shown.least:
        if running.window is not None:
            tests.append(exp.GT(this=time.copy(), expression=earlier(_written(least), running.window)))
        elif running.grain_to_date is not None and is_standard(running.grain_to_date):
            tests.append(exp.GTE(this=time.copy(), expression=_start(running.grain_to_date, least)))
    return tests


def reach_of_offset(time: exp.Expr, grain: str, moved: Callable[[exp.Expr], exp.Expr], shown: Limits) -> list[exp.Expr]:
    """Conditions that hold for every row of values that are shown at other moments, and for few others.

    Args:
        time: The time of a row, as its column has it.
        grain: That of the periods by which values are made.
        moved: The moment that a value is from, by the one at which it is shown; it never falls while that rises.
        shown: The limits of the moments at which values are shown.
    """
    if grain not in _LENGTHS:
        return []
    ends = (_after(grain, moved(_start(grain, most))) for most in shown.most)
    begins = (moved(_written(least)) for least in shown.least)
    return [
        *(exp.LT(this=time.copy(), expression=end) for end in ends),
        *(exp.GTE(this=time.copy(), expression=begin) for begin in begins),
    ]


def reach_of_conversions(time: exp.Expr, grain: str, window: Window | None, base: Limits) -> list[exp.Expr]:
    """Conditions that hold for every row that may be credited to a base event, and for few others.

    Args:
        time: The time of a row, as its column has it.
        grain: That by which it is compared with base events.
        window: How long after the base event it counts.
        base: The limits of the times of base events.
    """
    if grain not in _LENGTHS:
        return []
    tests: list[exp.Expr] = [exp.GTE(this=time.copy(), expression=_start(grain, moment)) for moment in base.least]
    if window is None:
        return tests
    # a month after the last of January is the last of February, from which a month back is another day of January
    days = _DAYS.get(window.grain)
    longest = window if days is None else Window(count=window.count * days, grain="day")
    ends = (_after(grain, later(_start(grain, most), longest)) for most in base.most)
    return [*(exp.LT(this=time.copy(), expression=end) for end in ends), *tests]


def _start(grain: str, moment: dt.datetime) -> exp.Expr:
    return _written(start_of_period(moment, grain))


def _end(grain: str, moment: dt.datetime) -> exp.Expr:
    start = start_of_period(moment, grain)
    try:
        return _written(next_period(start, grain))
    except (OverflowError, ValueError):  # engines may have later years
        return _after(grain, _written(start))


def _after(grain: str, start: exp.Expr) -> exp.Expr:
    """The end of the period that starts at a moment."""
    return later(start, Window(count=1, grain=grain))


def _written(moment: dt.datetime) -> exp.Expr:
    return timestamp(text_of(moment))
