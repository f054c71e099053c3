"""Requests without metrics in plain Python: the different values of items, found from the nearest model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from closed_form import evaluate, references
from oracle import Group, Oracle, within
from oracle_rows import Key, Models, Row, key_of

Path = tuple[str, ...]
Combination = dict[Path, Row | None]


def values(oracle: Oracle, request: Mapping[str, Any]) -> tuple[list[str], list[Group]]:
    """The columns and the rows; rows of joined models without one of the first are there too."""
    models, names = oracle.models, tuple(request["group_by"])
    where = tuple(request.get("where") or ())
    asked = [*names, *(r for condition in where for r in references(condition))]
    anchor = _anchor(models, asked)
    keys = {name: key_of(models, anchor, name) for name in asked}
    between = oracle.between(request, list(keys.values()))
    days: Sequence[dt.datetime | None] = [None]
    if between is not None or any(key.is_metric_time for key in keys.values()):
        days = [day for day in models.days if between is None or within(between, day)]
    found = {}
    combined = _combined(models, anchor, list(keys.values()))
    # each day of the spine is that of the first model's rows; what is joined to none of them has none
    for row, day in ((r, d) for r in combined for d in (days if () in r else [None])):

        def value(name: str, row: Combination = row, day: dt.datetime | None = day) -> Any:
            key = keys[name]
            return models.of_time(day, key) if key.is_metric_time else _value(models, anchor, row, key)

        if all(evaluate(condition, value) is True for condition in where):
            found[tuple(value(name) for name in names)] = None
    return [keys[name].column for name in names], list(found)


def _links(models: Models, model: str, key: Key) -> Path:
    """The entities over which a key is reached; none for what is the model's own."""
    return () if models.local(model, key.path) is not None else key.path[:-1]


def _anchor(models: Models, asked: Sequence[str]) -> str:
    """The model with something of its own from which all is reached over the fewest joins."""
    best: tuple[int, str] | None = None
    for model in models.by_name:
        try:
            keys = [k for name in asked if not (k := key_of(models, model, name)).is_metric_time]
        except AssertionError:
            continue
        links = [_links(models, model, key) for key in keys]
        joins = {path[: i + 1] for path in links for i in range(len(path))}
        if () in links and (best is None or len(joins) < best[0]):
            best = len(joins), model
    assert best is not None, asked
    return best[1]


def _combined(models: Models, anchor: str, keys: Sequence[Key]) -> list[Combination]:
    """The anchor's rows with those of all models on the way, of which none is lost."""
    found: list[Combination] = [{(): row} for row in models.rows(anchor)]
    paths = [links[: i + 1] for key in keys for links in [_links(models, anchor, key)] for i in range(len(links))]
    for path in dict.fromkeys(p for p in paths if p):
        model = models.at(anchor, path)
        taken: set[int] = set()
        widened: list[Combination] = []
        for row in found:
            at = models.joined_rows(models.at(anchor, path[:-1]), row.get(path[:-1]), model, path[-1])
            taken |= {id(r) for r in at}
            widened += [{**row, path: r} for r in at] or [row]
        found = widened + [{path: r} for r in models.rows(model) if id(r) not in taken]
    return found


def _value(models: Models, anchor: str, row: Combination, key: Key) -> Any:
    links = _links(models, anchor, key)
    at = row.get(links)
    if at is None:
        return None
    value = models.own(models.at(anchor, links), key.path[-1], at)
    return models.of_time(value, key) if key.grain or key.part else value
