"""Periods of the calendar in plain Python: where they begin, and how far back something lies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

_DAY = dt.timedelta(days=1)
GRAINS = ("hour", "day", "week", "month", "quarter", "year")


def finer(one: str, other: str) -> bool:
    """Whether the first grain is no coarser than the other."""
    return GRAINS.index(one) <= GRAINS.index(other)


def start(grain: str, moment: dt.datetime | None) -> dt.datetime | None:
    """The start of the period in which a moment lies; weeks start on Monday."""
    if moment is None:
        return None
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    return {
        "hour": hour,
        "day": day,
        "week": day - dt.timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "quarter": day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1),
        "year": day.replace(day=1, month=1),
    }[grain]


def part(name: str, moment: dt.datetime | None) -> int | None:
    """A part of a date; the week begins with day 1, Monday."""
    if moment is None:
        return None
    return {
        "year": moment.year,
        "quarter": (moment.month - 1) // 3 + 1,
        "month": moment.month,
        "day": moment.day,
        "dow": moment.isoweekday(),
        "doy": moment.timetuple().tm_yday,
    }[name]


def earlier(moment: dt.datetime, window: Mapping[str, Any]) -> dt.datetime:
    """The moment a window's length before; at the last day of a month that is too short."""
    count, grain = window["count"], window["granularity"].removesuffix("s")
    if grain in ("hour", "day", "week"):
        return moment - count * {"hour": dt.timedelta(hours=1), "day": _DAY, "week": 7 * _DAY}[grain]
    year, month = divmod(
        moment.year * 12 + moment.month - 1 - count * {"month": 1, "quarter": 3, "year": 12}[grain], 12
    )
    after = dt.datetime(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, (after - _DAY).day))


def after(grain: str, begun: dt.datetime) -> dt.datetime:
    """The start of the period after the one that begins at a moment."""
    found = start(grain, begun + {"hour": dt.timedelta(hours=1), "day": _DAY}.get(grain, 32 * _DAY))
    if grain == "week":
        return begun + 7 * _DAY
    if grain in ("quarter", "year"):
        found = start(grain, begun + (95 if grain == "quarter" else 370) * _DAY)
    assert found is not None
    return found
