"""What a training set has to hold, worked out row by row in plain Python; and random histories to work it out on.

Times are whole seconds. Nothing here is shared with the compiler but the texts of the features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

Row = dict[str, Any]
BAD_NUMBERS = (1e17, -1e17, math.nan, math.inf, -math.inf)


@dataclass
class World:
    """Tables as lists of rows."""

    labels: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    readings: list[Row] = field(default_factory=list)
    places: list[Row] = field(default_factory=list)
    prices: list[Row] = field(default_factory=list)


def random_world(rng: Random, *, most: int = 14) -> World:
    """Late rows, ties, NULLs everywhere, doubles that poison differences, and spine rows that occur twice."""
    world = World()
    for i in range(rng.randint(0, most)):
        happened = _or_null(rng, rng.randint(-5, 25))
        # a third is known within moments, a third late, some only after they have left every window, some before
        delay = rng.choice((0, 0, 1, rng.randint(2, 9), rng.randint(10, 40), -3))
        known = None if happened is None or rng.random() < 0.1 else happened + delay
        world.events.append(
            {
                "id": i,
                "thing": _or_null(rng, rng.choice("ab")),
                "place": _or_null(rng, rng.choice("pq")),
                "happened_at": happened,
                "known_at": known,
                "early_at": None if happened is None else _or_null(rng, happened + rng.choice((0, 0, -2, 1, 3))),
                "n": _or_null(rng, rng.choice((0, 1, -1, 5, 9_000_000_000))),
                "d": _or_null(rng, Decimal(rng.randint(-99_999_999, 99_999_999)) / 10_000),
                "x": _or_null(rng, rng.choice((*BAD_NUMBERS, 0.1, 0.2, -0.3, 1.5, 1.5))),
                "flag": _or_null(rng, rng.random() < 0.5),
                "label": _or_null(rng, rng.choice("uvw")),
            }
        )
    for i in range(rng.randint(0, most)):
        read = {"id": i, "thing": _or_null(rng, rng.choice("ab")), "read_at": _or_null(rng, rng.randint(-5, 25))}
        world.readings.append({**read, "value": _or_null(rng, rng.randint(0, 99))})
    for place in "pqr":
        if rng.random() < 0.7:
            world.places.append({"place": place, "country": _or_null(rng, rng.choice("xyz"))})
    for thing in "ab":
        ends = sorted(rng.sample(range(-5, 30), rng.randint(0, 4)))
        for i, start in enumerate(ends):
            # the next version begins where this one ends; one in a few was deleted before, the last may be open
            following = ends[i + 1] if i + 1 < len(ends) else None
            until = following if rng.random() < 0.7 else rng.randint(start + 1, following or start + 9)
            row = {"id": len(world.prices), "thing": thing, "valid_from": start, "valid_to": until}
            world.prices.append({**row, "price": rng.randint(1, 9)})
    for i in range(rng.randint(1, most)):
        label = {
            "label_id": i,
            "thing": _or_null(rng, rng.choice("aaabbbc")),
            "place": _or_null(rng, rng.choice("pppqqqr")),
            "at": _or_null(rng, rng.choice((rng.randint(-6, 45), rng.randint(0, 20)))),
        }
        world.labels += [label] * rng.choice((1, 1, 1, 2))
    return world


def _or_null(rng: Random, value: Any) -> Any:
    return None if rng.random() < 0.1 else value


@dataclass(frozen=True)
class Question:
    """One row of the spine, and whether what becomes known at its very time counts."""

    world: World
    label: Row
    inclusive: bool

    def events(self, entity: str, window: int | None, known: str = "known_at", event: str = "happened_at") -> list[Row]:
        """The events that count: known, happened, and not older than the window."""
        at, key = self.label["at"], self.label[entity]
        if at is None or key is None:
            return []
        found = []
        for row in self.world.events:
            if row[entity] != key or row[event] is None or row[known] is None:
                continue
            entry = max(row[event], row[known])
            if not (entry <= at if self.inclusive else entry < at):
                continue
            if window is None or row[event] >= at - window:
                found.append(row)
        return found

    def readings(self, window: int) -> list[Any]:
        """The values of the readings that have been known for 3 seconds and are not older than the window."""
        at, found = self.label["at"], []
        for row in self.world.readings:
            if at is None or row["thing"] is None or row["thing"] != self.label["thing"] or row["read_at"] is None:
                continue
            known = row["read_at"] + 3 <= at if self.inclusive else row["read_at"] + 3 < at
            if known and row["read_at"] >= at - window:
                found.append(row["value"])
        return found

    def reading(self, within: int | None) -> Any:
        """The newest reading that has been known for 3 seconds, unless it is too old."""
        at, best = self.label["at"], None
        for row in self.world.readings:
            if at is None or row["thing"] is None or row["thing"] != self.label["thing"] or row["read_at"] is None:
                continue
            entry = row["read_at"] + 3
            if not (entry <= at if self.inclusive else entry < at):
                continue
            if best is None or (row["read_at"], row["id"]) > (best["read_at"], best["id"]):
                best = row
        if best is None or (within is not None and best["read_at"] < at - within):
            return None
        return best["value"]

    def newest(self, entity: str, name: str, within: int | None = None) -> Any:
        """A column of the newest event that is known: by event, then by when it was known, then by its key."""
        rows = self.events(entity, None)
        if not rows:
            return None
        best = max(rows, key=lambda row: (row["happened_at"], row["known_at"], row["id"]))
        return None if within is not None and best["happened_at"] < self.label["at"] - within else best[name]

    def price(self) -> Any:
        """The price in the version that is valid; at the very instant of a change the old one, unless inclusive."""
        at = self.label["at"]
        for row in self.world.prices:
            start, until = row["valid_from"], row["valid_to"]
            if at is None or row["thing"] != self.label["thing"]:
                continue
            begun = start <= at if self.inclusive else start < at
            over = until is not None and (at >= until if self.inclusive else at > until)
            if begun and not over:
                return row["price"]
        return None

    def country(self) -> Any:
        """What is written of the place."""
        return next((r["country"] for r in self.world.places if r["place"] == self.label["place"]), None)


def add(values: Iterable[Any]) -> Any:
    """The sum of the values that are there; None of none."""
    there = [v for v in values if v is not None]
    if not there:
        return None
    if isinstance(there[0], float):
        return _add_doubles(there)
    return sum(there[1:], there[0])


def _add_doubles(values: list[float]) -> Any:
    infinite = {v for v in values if math.isinf(v)}
    if any(math.isnan(v) for v in values) or len(infinite) > 1:
        return math.nan
    return infinite.pop() if infinite else Rounded(math.fsum(values), 1e-15 * sum(map(abs, values)))


@dataclass(frozen=True)
class Rounded:
    """A sum of doubles, whose last digits depend on the order of adding."""

    value: float
    error: float


def ratio(above: Any, below: Any) -> Any:
    """The quotient; None where there is none."""
    return None if above is None or not below else above / below


def mean(values: Iterable[Any]) -> Any:
    """The mean of the values that are there."""
    there = [v for v in values if v is not None]
    total = add(there)
    if isinstance(total, Rounded):
        return Rounded(total.value / len(there), total.error)
    return None if total is None else total / len(there)


def least(values: Iterable[Any]) -> Any:
    """The least; NaN is above all numbers."""
    return min((v for v in values if v is not None), key=lambda v: (math.isnan(v), v), default=None)


def middle(values: Iterable[Any]) -> Any:
    """The median, between two values their mean."""
    there = sorted(v for v in values if v is not None)
    if not there:
        return None
    low, high = there[(len(there) - 1) // 2], there[len(there) // 2]
    return (low + high) / 2


def column(rows: list[Row], name: str) -> list[Any]:
    """One column."""
    return [row[name] for row in rows]


def flags(rows: list[Row]) -> list[int]:
    """1 where the flag is set, else 0, NULL too."""
    return [1 if row["flag"] else 0 for row in rows]


def _number(rows: list[Row]) -> int | None:
    return add(0 if row["n"] is None else 1 for row in rows)


def _minus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a - 2 * b


ANSWERS: dict[str, Callable[[Question], Any]] = {
    "thing.total over 7 seconds": lambda q: add(column(q.events("thing", 7), "n")),
    "thing.total over 20 seconds": lambda q: add(column(q.events("thing", 20), "n")),
    "thing.total over 1 second": lambda q: add(column(q.events("thing", 1), "n")),
    "thing.total to date": lambda q: add(column(q.events("thing", None), "n")),
    "thing.mean over 7 seconds": lambda q: mean(column(q.events("thing", 7), "n")),
    "thing.worth over 9 seconds": lambda q: add(column(q.events("thing", 9), "d")),
    "thing.number over 7 seconds": lambda q: _number(q.events("thing", 7)),
    "thing.flagged over 7 seconds": lambda q: add(flags(q.events("thing", 7))) or 0,
    "thing.flagged_total over 7 seconds": lambda q: add(column([r for r in q.events("thing", 7) if r["flag"]], "n")),
    "thing.rate over 7 seconds": lambda q: ratio(add(flags(q.events("thing", 7))) or 0, _number(q.events("thing", 7))),
    "thing.balance over 10 seconds": lambda q: _minus(
        add(column(q.events("thing", 10), "n")), add(column(q.events("thing", 10, "early_at"), "n"))
    ),
    "thing.flagged_rate over 6 seconds": lambda q: ratio(
        add(column([r for r in q.events("thing", 6) if r["flag"]], "n")),
        add(column(q.events("thing", 6, "early_at"), "n")),
    ),
    "thing.weight over 7 seconds": lambda q: add(column(q.events("thing", 7), "x")),
    "thing.mean_weight over 12 seconds": lambda q: mean(column(q.events("thing", 12), "x")),
    "thing.lightest over 7 seconds": lambda q: least(column(q.events("thing", 7), "x")),
    "thing.lightest to date": lambda q: least(column(q.events("thing", None), "x")),
    "thing.middle over 8 seconds": lambda q: middle(column(q.events("thing", 8), "n")),
    "thing.kinds over 6 seconds": lambda q: len({r["label"] for r in q.events("thing", 6)} - {None}),
    "thing.kinds over 20 seconds": lambda q: len({r["label"] for r in q.events("thing", 20)} - {None}),
    "place.kinds over 3 seconds": lambda q: len({r["label"] for r in q.events("place", 3)} - {None}),
    "place.kinds to date": lambda q: len({r["label"] for r in q.events("place", None)} - {None}),
    "thing.early_dated over 6 seconds": lambda q: add(column(q.events("thing", 6, event="early_at"), "n")),
    "thing.early_lightest over 5 seconds": lambda q: least(column(q.events("thing", 5, event="early_at"), "x")),
    "place.total over 7 seconds": lambda q: add(column(q.events("place", 7), "n")),
    "place.mean to date": lambda q: mean(column(q.events("place", None), "n")),
    "place.weight over 11 seconds": lambda q: add(column(q.events("place", 11), "x")),
    "place.places.country": lambda q: q.country(),
    "thing.readings.value": lambda q: q.reading(None),
    "thing.readings.value within 6 seconds as fresh": lambda q: q.reading(6),
    "thing.read_total over 7 seconds": lambda q: add(q.readings(7)),
    "thing.read_total over 3 seconds": lambda q: add(q.readings(3)),
    "thing.read_total over 2 seconds": lambda q: add(q.readings(2)),
    "thing.read_mean over 12 seconds": lambda q: mean(q.readings(12)),
    "thing.read_mean over 2 seconds": lambda q: mean(q.readings(2)),  # shorter than it takes to know them
    "thing.events.n": lambda q: q.newest("thing", "n"),
    "thing.events.label within 9 seconds": lambda q: q.newest("thing", "label", 9),
    "place.events.d within 4 seconds": lambda q: q.newest("place", "d", 4),
    "thing.prices.price": lambda q: q.price(),
}


def same(found: Any, wanted: Any) -> bool:
    """Whether an engine's value is the one wanted: exact, but for doubles."""
    if wanted is None or found is None:
        return found is wanted
    if isinstance(wanted, Rounded):
        return math.isclose(found, wanted.value, rel_tol=1e-9, abs_tol=wanted.error)
    if isinstance(wanted, float):
        return (
            found == wanted or (math.isnan(wanted) and math.isnan(found)) or math.isclose(found, wanted, rel_tol=1e-9)
        )
    return bool(found == wanted)


def check(world: World, rows: list[tuple[Any, ...]], texts: Iterable[str], *, inclusive: bool) -> None:
    """Compare an answer: the labels' columns, then one for each feature, its rows in any order."""
    compare(world.labels, rows, texts, lambda text, label: ANSWERS[text](Question(world, label, inclusive)))


def compare(
    labels: list[Row], rows: list[tuple[Any, ...]], texts: Iterable[str], answer: Callable[[str, Row], Any]
) -> None:
    """Compare an answer with the one that is worked out for each feature and label."""
    texts = tuple(texts)
    width = len(labels[0])
    given = sorted(repr(tuple(label.values())) for label in labels)
    assert sorted(repr(tuple(row[:width])) for row in rows) == given, "the rows are not those of the spine"
    by_id = {label["label_id"]: label for label in labels}
    for row in rows:
        for text, found in zip(texts, row[width:], strict=True):
            wanted = answer(text, by_id[row[0]])
            assert same(found, wanted), f"{text}: found {found!r}, wanted {wanted!r} for {by_id[row[0]]}"


def merged(worlds: Iterable[World]) -> World:
    """Worlds side by side in one: the keys of each are its own, so that no answer changes."""
    whole = World()
    for i, world in enumerate(worlds):
        for table in ("labels", "events", "readings", "places", "prices"):
            for row in getattr(world, table):
                keys = {k: f"{i}{row[k]}" for k in ("thing", "place") if row.get(k) is not None}
                ids = {k: 1000 * i + row[k] for k in ("id", "label_id") if k in row}
                getattr(whole, table).append({**row, **keys, **ids})
    return whole
