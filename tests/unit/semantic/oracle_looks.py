"""Metrics looked at in another way, and subtotals, in plain Python: ranges, changes and shares of any metric."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oracle import Asked, Found, Group, Oracle, Shift
from oracle_rows import ANYTHING, Part, key_of
from oracle_values import values

Columns = list[str]
_WAYS = re.compile(
    r"over (?P<length>\d+ \w+)|(?P<grain>\w+ )?to date|((?P<how>change|growth) from )?(?P<ago>\d+ \w+) ago"
    r"|share (of total|within (?P<within>.+))"
)


def answer(oracle: Oracle, request: Mapping[str, Any]) -> tuple[Columns, list[Group]]:
    """The columns and the rows of any request, without its order and limit."""
    if not request["metrics"]:
        return values(oracle, request)
    keys = tuple(request["group_by"])
    sets = list(
        dict.fromkeys([keys, *(tuple(k for k in keys if k in kept) for kept in request.get("subtotals") or ())])
    )
    left = [k for k in keys if any(k not in kept for kept in sets)]
    model = oracle.facts_of(request["metrics"][0].split(" ")[0])[0]
    columns = {k: key_of(oracle.models, model, k).column for k in keys}
    asked = oracle.asked(request)
    rows: list[Group] = []
    for kept in sets:
        # of no rows there is no total, as there is no group of them
        by = kept or ((ANYTHING,) if keys else ())
        found = _rows(oracle, request, Asked(by, asked.between))
        for group, measured in found:
            by_name = dict(zip(by, group, strict=True))
            rows.append((*(by_name.get(k) for k in keys), *(k not in kept for k in left), *measured))
    names = [text.split(" as ")[-1] for text in request["metrics"]]
    return [*columns.values(), *(f"{columns[k]}__is_total" for k in left), *names], rows


def _rows(oracle: Oracle, request: Mapping[str, Any], asked: Asked) -> list[tuple[Group, Group]]:
    where = tuple(request["where"])
    found = [_looked_at(oracle, text, asked, where) for text in request["metrics"]]
    groups = dict.fromkeys(group for f in found for group in f.values)
    return [(group, tuple(f.at(group) for f in found)) for group in groups]


def _looked_at(oracle: Oracle, text: str, asked: Asked, where: tuple[str, ...]) -> Found:
    name, _, how = text.split(" as ", maxsplit=1)[0].partition(" ")
    match = _WAYS.fullmatch(how)
    if match is None:
        return oracle.metric(name, asked, where)
    if match["length"] or how.endswith("to date"):
        window = _length(match["length"]) if match["length"] else None
        to_date = (match["grain"] or "").strip() or None
        return oracle.metric(name, asked, where, (), {"window": window, "grain_to_date": to_date, "period_agg": "end"})
    if match["ago"]:
        before = oracle.metric(name, asked, (), (Shift(_length(match["ago"]), None, where),))
        if not match["how"]:
            return before
        return _beside(oracle.metric(name, asked, where), before, _growth if match["how"] == "growth" else _change)
    within = match["within"].split(" and ") if match["within"] else []
    total = oracle.metric(name, Asked(tuple(within), asked.between), where)
    at = [asked.keys.index(k) for k in within]
    now = oracle.metric(name, asked, where)
    return _Shares(now.values, now.missing, total=total, within=tuple(at))


@dataclass(frozen=True, kw_only=True)
class _Shares(Found):
    """A metric as a share of its totals by some of the keys; in a group without a row it is that of what fills it."""

    total: Found
    within: tuple[int, ...]

    def at(self, group: Group) -> Any:
        return _divided(super().at(group), self.total.at(tuple(group[i] for i in self.within)))


def _length(text: str) -> Part:
    count, grain = text.split(" ")
    return {"count": int(count), "granularity": grain}


def _beside(now: Found, before: Found, made: Callable[[Any, Any], Any]) -> Found:
    groups = dict.fromkeys((*now.values, *before.values))
    return Found({group: made(now.at(group), before.at(group)) for group in groups})


def _change(now: Any, before: Any) -> Any:
    return None if now is None or before is None else now - before


def _growth(now: Any, before: Any) -> Any:
    return _divided(_change(now, before), before)


def _divided(above: Any, below: Any) -> Any:
    return None if above is None or not below else float(above) / float(below)
