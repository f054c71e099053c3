"""The rows that running totals within a time constraint can need at all, told by the bare column of time.

Engines skip files and blocks by it, which they can't by the period that a total is joined by.
"""

from __future__ import annotations

from sqlglot import exp

from penstock.manifest.model import Window
from penstock.semantic.expressions import earlier, later, timestamp, truncated
from penstock.semantic.leaves import Running
from penstock.semantic.names import is_standard
from penstock.semantic.plan import TimeRange

# below them a length of time isn't known to every engine
_LENGTHS = ("minute", "hour", "day", "week", "month", "quarter", "year")


def within_reach(moment: exp.Expr, base: str, running: Running, time_range: TimeRange) -> list[exp.Expr]:
    """Conditions that hold for every row of a total shown within the range, and for few others.

    Args:
        moment: The time of a row, as its column has it.
        base: The grain of the periods by which totals are made.
        running: How far a total looks back.
        time_range: Where totals are shown.
    """
    if base not in _LENGTHS:
        return []
    # the last period begins before the range ends, and its rows may lie behind that end
    tests: list[exp.Expr] = [
        exp.LT(this=moment.copy(), expression=later(timestamp(time_range.end), Window(count=1, grain=base)))
    ]
    start = timestamp(time_range.start)
    if running.window is not None:
        tests.append(exp.GT(this=moment.copy(), expression=earlier(start, running.window)))
    elif running.grain_to_date is not None and is_standard(running.grain_to_date):
        tests.append(exp.GTE(this=moment.copy(), expression=truncated(running.grain_to_date, start)))
    return tests
