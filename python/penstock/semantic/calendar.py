"""Periods of the calendar, worked out before there is SQL."""

from __future__ import annotations

import datetime as dt


def start_of_period(moment: dt.datetime, grain: str) -> dt.datetime:
    """The start of the period of a grain, seconds to years, in which a moment lies; weeks start on Monday."""
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


def next_period(start: dt.datetime, grain: str) -> dt.datetime:
    """The start of the period after the one that starts at a moment.

    Raises:
        OverflowError, ValueError: It is behind the end of the calendar.
    """
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


def text_of(moment: dt.datetime) -> str:
    """The moment as ISO text, a day without its midnight."""
    return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat(sep=" ")
