"""Conversions in plain Python: each credited to the last base event of the same entity before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import periods
from closed_form import evaluate
from oracle import Asked, Group, Leaf, Oracle, Values, within
from oracle_aggregates import aggregated
from oracle_rows import Row
from oracle_time import to_spine


def converted(oracle: Oracle, base: Leaf, done: Leaf, how: Mapping[str, Any], asked: Asked) -> Values:
    """The conversions by the keys of the base events that they are credited to."""
    keys = oracle.keys(base, asked)
    grain = max(
        (oracle.models.grain(leaf.facts.model, leaf.facts.time or "") for leaf in (base, done)),
        key=periods.GRAINS.index,
    )
    same = [(p["base_property"], p["conversion_property"]) for p in how.get("constant_properties") or ()]

    def seen(leaf: Leaf, row: Row, names: list[str]) -> tuple[dt.datetime | None, Group]:
        moment = periods.start(grain, oracle.models.moment(leaf.facts, row))
        return moment, tuple(_element(oracle, leaf, row, name) for name in names)

    events: list[tuple[dt.datetime, Group, Group]] = []
    for row in oracle.models.rows(base.facts.model):
        if not all(oracle.holds(base, c, row) for c in (*base.own, *base.extra)):
            continue
        if asked.between is not None and not within(asked.between, oracle.models.moment(base.facts, row)):
            continue
        moment, who = seen(base, row, [how["entity"], *(mine for mine, _ in same)])
        if moment is not None and None not in who:
            events.append((moment, who, tuple(oracle.models.value(base.facts, row, k) for k in keys)))
    groups: dict[Group, list[Any]] = {} if keys else {(): []}
    for row in oracle.models.rows(done.facts.model):
        if not all(oracle.holds(done, c, row) for c in (*done.own, *done.extra)):
            continue
        moment, who = seen(done, row, [how["entity"], *(theirs for _, theirs in same)])
        if moment is None:
            continue
        since = periods.earlier(moment, how["window"]) if how.get("window") else dt.datetime.min
        before = [(m, k) for m, w, k in events if w == who and since < m <= moment]
        if before:
            last = max(m for m, _ in before)
            credited = min((k for m, k in before if m == last), key=lambda k: [(v is None, v) for v in k])
            groups.setdefault(credited, []).append(evaluate(done.expr, row.__getitem__))
    found = {group: aggregated(done.params, values) for group, values in groups.items()}
    timed = any(oracle.models.is_time(base.facts, k) for k in keys)
    return to_spine(oracle, base, keys, asked, found) if done.to_spine and timed else found


def _element(oracle: Oracle, leaf: Leaf, row: Row, name: str) -> Any:
    found = oracle.models.entity(leaf.facts.model, name) or oracle.models.dimension(leaf.facts.model, name)
    assert found is not None
    return evaluate(found["expr"] or found["name"], row.__getitem__)
