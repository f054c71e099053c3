"""A time constraint, widened to whole periods."""

from __future__ import annotations

import datetime as dt

from penstock.errors import InvalidRequestError
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
        return TimeRange(_text(_start(first, grain)), _text(_next(_start(last, grain), grain)))
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


def _start(moment: dt.datetime, grain: str) -> dt.datetime:
    moment = moment.replace(microsecond=0)
    if grain == "second":
        return moment
    moment = moment.replace(second=0)
    if grain == "minute":
        return moment
    moment = moment.replace(minute=0)
    if grain == "hour":
        return moment
    moment = moment.replace(hour=0)
    if grain == "week":
        return moment - dt.timedelta(days=moment.weekday())
    if grain == "month":
        return moment.replace(day=1)
    if grain == "quarter":
        return moment.replace(day=1, month=moment.month - (moment.month - 1) % 3)
    return moment.replace(day=1, month=1) if grain == "year" else moment


def _next(start: dt.datetime, grain: str) -> dt.datetime:
    steps = {
        "second": dt.timedelta(seconds=1),
        "minute": dt.timedelta(minutes=1),
        "hour": dt.timedelta(hours=1),
        "day": dt.timedelta(days=1),
        "week": dt.timedelta(weeks=1),
    }
    if grain in steps:
        return start + steps[grain]
    months = {"month": 1, "quarter": 3, "year": 12}[grain]
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=year, month=month + 1)


def _text(moment: dt.datetime) -> str:
    return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat(sep=" ")
