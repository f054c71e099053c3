"""Group-by items and the names of their columns, which are MetricFlow's: `listing__country`, `metric_time__month`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

METRIC_TIME = "metric_time"
GRAINS = (
    "nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year",
)  # fmt: skip
_ORDER = {grain: i for i, grain in enumerate(GRAINS)}


@dataclass(frozen=True)
class Item:
    """A resolved thing to group or filter by, told by the entities that lead to it.

    `links` is empty for `metric_time` and for an entity of the fact itself. For a metric whose value is grouped by,
    they are the entities by which it is aggregated first.
    """

    kind: Literal["categorical", "time", "entity", "metric_time", "metric"]
    links: tuple[str, ...]
    element: str
    grain: str | None = None
    date_part: str | None = None

    @property
    def is_time(self) -> bool:
        return self.kind in ("time", "metric_time")

    @property
    def base(self) -> Item:
        """The item without grain and date part."""
        return replace(self, grain=None, date_part=None)

    @property
    def column(self) -> str:
        """The output column, the dunder name."""
        parts = [*self.links, self.element]
        if self.date_part:
            parts.append(f"extract_{self.date_part}")
        elif self.grain:
            parts.append(self.grain)
        return "__".join(parts)


def finer_or_same(grain: str, other: str) -> bool:
    """Whether the standard `grain` is no coarser than the `other`."""
    return _ORDER[grain] <= _ORDER[other]


def coarsest(*grains: str) -> str:
    """The coarsest of standard grains."""
    return max(grains, key=_ORDER.__getitem__)


def finest(*grains: str) -> str:
    """The finest of standard grains."""
    return min(grains, key=_ORDER.__getitem__)


def is_standard(grain: str) -> bool:
    """Whether the grain is one that every calendar has."""
    return grain in _ORDER
