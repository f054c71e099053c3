"""A time constraint, widened to whole periods."""

from __future__ import annotations

import datetime as dt

from penstock.errors import InvalidRequestError
from penstock.semantic.calendar import next_period, start_of_period, text_of
from penstock.semantic.names import finer_or_same
from penstock.semantic.plan import TimeRange


def widened(constraint: tuple[str, str], grain: str) -> TimeRange:
    """The range from the start of the first period to the end of the last; both ends were inclusive.

    Raises:
        InvalidRequestError: An end is no ISO moment, or the range ends before it begins.

    Example:
        >>> widened(("2020-01-15", "2020-02-15"), "month")
        TimeRange(start='2020-01-01', end='2020-03-01')
    """
    first, last = (moment_of(text, where="time_constraint") for text in constraint)
    if last < first:
        raise InvalidRequestError(f"{constraint[1]} comes before {constraint[0]}", where="time_constraint")
    grain = "second" if finer_or_same(grain, "second") else grain
    try:
        end = next_period(start_of_period(last, grain), grain)
        return TimeRange(text_of(start_of_period(first, grain)), text_of(end))
    except (OverflowError, ValueError) as bad:
        raise InvalidRequestError(f"{constraint[1]} is too late for a calendar", where="time_constraint") from bad


def moment_of(text: str, *, where: str) -> dt.datetime:
    """A moment as a request writes it: ISO text without a time zone.

    Raises:
        InvalidRequestError: It is none.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as bad:
        raise InvalidRequestError(f"'{text}' is no date or moment", where=where, fix="write it as 2024-01-31") from bad
    if moment.tzinfo is not None:
        raise InvalidRequestError(
            f"'{text}' has a time zone, and the times of a table are those of the session's zone",
            where=where,
            fix=f"write it as {moment.replace(tzinfo=None).isoformat(' ')}, in that zone",
        )
    return moment
