"""Aggregates of lists of values, as the documentation says what they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def aggregated(params: Mapping[str, Any], values: Sequence[Any]) -> Any:
    """A metric's aggregation over the values of its rows; NULL doesn't count."""
    there = [v for v in values if v is not None]
    agg = params["agg"]
    if agg == "count_distinct":
        return len(set(there))
    if agg in ("count", "sum_boolean"):
        # a count is a sum of ones: over no rows it is NULL, over rows that don't count 0
        return sum(bool(v) if agg == "sum_boolean" else 1 for v in there) if values else None
    if not there:
        return None
    if agg in ("median", "percentile"):
        given = params.get("agg_params") or {}
        share = 0.5 if agg == "median" else given["percentile"]
        return _percentile(sorted(there), share, discrete=bool(given.get("use_discrete_percentile")))
    return {
        "sum": lambda: sum(there),
        "average": lambda: sum(there) / len(there),
        "min": lambda: min(there),
        "max": lambda: max(there),
    }[agg]()


def _percentile(ordered: list[Any], share: float, *, discrete: bool) -> Any:
    if discrete:
        return ordered[max(math.ceil(share * len(ordered)), 1) - 1]
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))
