"""How a metric may be looked at in a request, without being defined anew: `revenue over 7 days`, `revenue 1 year ago`.

A metric's name may be followed by one of a few phrases, and by `as` and a name for the column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.errors import InvalidRequestError, nearest
from penstock.manifest.model import Window


@dataclass(frozen=True)
class Over:
    """The metric over a range of time that ends with each period: `over 7 days`, `month to date`, `to date`.

    Args:
        window: The length of the range.
        to_date: The grain with whose period the range begins.
    """

    window: Window | None = None
    to_date: str | None = None

    @property
    def suffix(self) -> str:
        if self.window is not None:
            return f"over_{_length(self.window)}"
        return f"{self.to_date}_to_date" if self.to_date else "to_date"


@dataclass(frozen=True)
class Ago:
    """The metric some time before: `1 year ago`."""

    window: Window

    @property
    def suffix(self) -> str:
        return f"{_length(self.window)}_ago"


@dataclass(frozen=True)
class Change:
    """How it differs from some time before: `change from 1 year ago`; as a share of that: `growth from 1 year ago`."""

    window: Window
    relative: bool = False

    @property
    def suffix(self) -> str:
        return f"{'growth' if self.relative else 'change'}_from_{_length(self.window)}_ago"


@dataclass(frozen=True)
class Share:
    """Its share of the metric over all groups (`share of total`), or over those that agree on some items.

    Args:
        within: The items, as they are grouped by: `share within metric_time__month and customer`.
    """

    within: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        return "share_within_" + "_and_".join(self.within) if self.within else "share_of_total"


Calculation = Over | Ago | Change | Share

_PHRASES = (
    "over 7 days", "to date", "month to date", "1 month ago", "change from 1 month ago", "growth from 1 month ago",
    "share of total", "share within metric_time__month",
)  # fmt: skip
_LENGTH = r"(?P<count>\d{1,6}) (?P<grain>\w+)"
_ASKED = re.compile(r"(?P<name>\w+)(?: (?P<how>.+?))?(?: as (?P<alias>\w+))?", re.IGNORECASE)
_RANGE = re.compile(rf"over {_LENGTH}")
_TO_DATE = re.compile(r"(?:(?P<grain>\w+) )?to date")
_BEFORE = re.compile(rf"(?:(?P<change>change|growth) from )?{_LENGTH} ago")
_WITHIN = re.compile(r"share (?:of total|within (?P<within>\w+(?: and \w+)*))")


def parse_metric(text: str) -> tuple[str, str | None, Calculation | None]:
    """A metric as a request names it: its name, its alias, and how it is looked at.

    Args:
        text: Such as `revenue`, `revenue over 7 days` or `revenue share of total as part`.

    Raises:
        InvalidRequestError: What follows the name is none of the phrases.

    Example:
        >>> parse_metric("revenue 1 month ago as before")
        ('revenue', 'before', Ago(window=Window(count=1, grain='month')))
    """
    found = _ASKED.fullmatch(" ".join(text.split()))
    if found is None:
        raise InvalidRequestError("this is no metric", where=f"metrics: {text}", fix=_fix())
    how = found["how"]
    return found["name"].lower(), found["alias"], _calculation(how.lower(), text) if how else None


def _calculation(how: str, text: str) -> Calculation:
    if match := _RANGE.fullmatch(how):
        return Over(_window(match, text))
    if match := _TO_DATE.fullmatch(how):
        return Over(to_date=match["grain"])
    if match := _BEFORE.fullmatch(how):
        window = _window(match, text)
        return Change(window, relative=match["change"] == "growth") if match["change"] else Ago(window)
    if match := _WITHIN.fullmatch(how):
        return Share(tuple(match["within"].split(" and ")) if match["within"] else ())
    raise InvalidRequestError(
        f"'{how}' is no way to look at a metric", where=f"metrics: {text}", near=nearest(how, _PHRASES), fix=_fix()
    )


def _window(match: re.Match[str], text: str) -> Window:
    count, grain = int(match["count"]), match["grain"]
    if not count:
        raise InvalidRequestError("a length of time can't be zero", where=f"metrics: {text}")
    # a grain that really ends in s would be a custom one; no calendar has one
    return Window(count, grain.removesuffix("s"))


def _length(window: Window) -> str:
    return f"{window.count}_{window.grain}{'s' if window.count > 1 else ''}"


def _fix() -> str:
    return f"write a name, or a name and one of: {', '.join(_PHRASES)}; and maybe `as column`"
