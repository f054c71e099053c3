"""Lengths of time that are the same at every place of the calendar: microseconds to weeks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.errors import InvalidRequestError, nearest

_MICROSECONDS = {
    "microsecond": 1,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
_VARIABLE = ("month", "quarter", "year")
_LONGEST = 400 * 366 * _MICROSECONDS["day"]  # times in microseconds stay far from the end of BIGINT


@dataclass(frozen=True)
class Duration:
    """A fixed length of time: `count` times one of microsecond, second, minute, hour, day and week."""

    count: int
    unit: str

    @property
    def microseconds(self) -> int:
        """The whole length in microseconds."""
        return self.count * _MICROSECONDS[self.unit]

    @property
    def short(self) -> str:
        """For a column's name: 7d, 6h, 30m, 5us."""
        return f"{self.count}{'us' if self.unit == 'microsecond' else self.unit[0]}"


def parse_duration(text: str, *, where: str) -> Duration:
    """Parse a length of time such as `7 days`.

    Raises:
        InvalidRequestError: It is none, or one of no fixed length.
    """
    match = re.fullmatch(r"\s*(\d+)\s+([A-Za-z]+)\s*", text, re.ASCII)
    if match is None:
        raise InvalidRequestError(f"'{text}' is no length of time", where=where, fix="write it as '7 days'")
    unit = match[2].lower().removesuffix("s")
    if unit in _VARIABLE:
        raise InvalidRequestError(
            f"a {unit} has no fixed length, so it is not clear when a row leaves the window",
            where=where,
            fix="give the length in days or weeks",
        )
    if unit not in _MICROSECONDS:
        raise InvalidRequestError(
            f"'{match[2]}' is no unit of time",
            where=where,
            near=nearest(unit, _MICROSECONDS),
            fix="write it as '7 days'",
        )
    length = Duration(int(match[1]), unit)
    if length.microseconds > _LONGEST:
        raise InvalidRequestError(f"'{text}' is longer than 400 years", where=where, fix="use 'to date'")
    return length
