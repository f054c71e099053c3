"""Numbers, times and names as a reader wants them: with their units, and no more digits than say something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

NOTHING = "–"
_SHORT = {"hour": "%d %b %H:%M", "day": "%d %b", "week": "%d %b", "month": "%b %Y"}
_LONG = {"hour": "%d %b %Y %H:%M", "day": "%d %b %Y", "week": "week of %d %b %Y", "month": "%B %Y"}


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits that say something, a minus as such, thousands apart.

    Example:
        >>> number(0.71891), number(-0.0123456), number(1234567.8), number(None), number(2.5e-7)
        ('0.719', '−0.0123', '1,234,568', '–', '2.5e−7')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    size = abs(value)
    if size and size < 1e-4:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    else:
        places = 0 if size >= 1000 or value == 0 else max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{value:,.{places}f}"
    return text.replace("-", "−")


def count(value: int | None) -> str:
    """A number of things.

    Example:
        >>> count(261876), count(None)
        ('261,876', '–')
    """
    return NOTHING if value is None else f"{value:,}"


def share(part: int, whole: int) -> str:
    """A share in percent; all and nothing are said only where they are true.

    Example:
        >>> share(1999, 2000), share(3, 4), share(0, 0)
        ('99.9 %', '75 %', '–')
    """
    if not whole:
        return NOTHING
    percent = 100 * part / whole
    if part in (0, whole):
        return f"{percent:.0f} %"
    return f"{min(99.9, max(0.1, percent)):.3g} %"


def chance(p: float | None) -> str:
    """A p-value.

    Example:
        >>> chance(0.0312), chance(1e-9), chance(0.5)
        ('0.031', '< 0.001', '0.50')
    """
    if p is None or math.isnan(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def between(low: float | None, high: float | None, digits: int = 3) -> str:
    """The bounds of an interval; nothing where there are none.

    Example:
        >>> between(0.70, 0.75), between(None, 1.0)
        ('0.700 to 0.750', '')
    """
    return "" if low is None or high is None else f"{number(low, digits)} to {number(high, digits)}"


def period(start: datetime, bucket: str, *, short: bool = False) -> str:
    """What an hour, day, week or month is called.

    Example:
        >>> period(datetime(2013, 12, 30), "week"), period(datetime(2013, 12, 30), "week", short=True)
        ('week of 30 Dec 2013', '30 Dec')
    """
    return start.strftime((_SHORT if short else _LONG)[bucket])


def moment(at: datetime | None, like: datetime) -> str:
    """A time to the minute, in the zone of another.

    Example:
        >>> moment(datetime(2026, 1, 1, 9, 30), datetime(2026, 1, 2))
        '2026-01-01 09:30'
    """
    if at is None:
        return NOTHING
    return (at.astimezone(like.tzinfo) if at.tzinfo and like.tzinfo else at).strftime("%Y-%m-%d %H:%M")


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago a time was.

    Example:
        >>> ago(datetime(2026, 1, 1), datetime(2026, 1, 4, 12)), ago(None, datetime(2026, 1, 1))
        ('3 days ago', '–')
    """
    if at is None:
        return NOTHING
    passed = now - at
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        whole = passed // length
        if whole >= 1:
            return f"{whole:,} {unit}{'' if whole == 1 else 's'} ago"
    return "just now"


def clipped(text: str, most: int) -> str:
    """A text that is at most so long, its middle left out where it was longer.

    Example:
        >>> clipped("origin__weather__temperature_f", 20)
        'origin__we…erature_f'
    """
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"


def filters() -> Mapping[str, Any]:
    """What a template calls these."""
    return {each.__name__: each for each in (number, count, share, chance, between, period, moment, ago, clipped)}
