"""Random histories in which rows are corrected, moved and deleted, and what was known of them, in plain Python.

Claims have versions by their number; ratings are of a thing, so that a later one takes the place of the one before;
counts are taken per meter and slot, and known 3 seconds after. Times are whole seconds. Nothing here is shared with the
compiler but the texts of the features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from brute_force import BAD_NUMBERS, Row, add, column, compare, flags, least, mean, middle, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

COLUMNS = {
    "labels": {"label_id": "INT", "thing": "TEXT", "place": "TEXT", "claim": "TEXT", "at": "TIMESTAMP"},
    "claims": {
        "claim": "TEXT", "seq": "INT", "thing": "TEXT", "place": "TEXT", "happened_at": "TIMESTAMP",
        "known_at": "TIMESTAMP", "early_at": "TIMESTAMP", "gone": "BOOLEAN", "n": "BIGINT", "d": "DECIMAL(20,4)",
        "x": "DOUBLE", "flag": "BOOLEAN", "label": "TEXT",
    },
    "ratings": {
        "thing": "TEXT", "rated_at": "TIMESTAMP", "heard_at": "TIMESTAMP", "gone": "BOOLEAN", "stars": "INT",
    },
    "counts": {"meter": "TEXT", "slot": "INT", "thing": "TEXT", "read_at": "TIMESTAMP", "gone": "BOOLEAN", "n": "INT"},
}  # fmt: skip


@dataclass
class History:
    """Tables as lists of rows."""

    labels: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    ratings: list[Row] = field(default_factory=list)
    counts: list[Row] = field(default_factory=list)


def _or_null(rng: Random, value: Any, share: float = 0.1) -> Any:
    return None if rng.random() < share else value


def random_history(rng: Random, *, most: int = 6) -> History:
    """Corrections of values, times and keys, deletes and what comes after them, ties, NULLs, and rows in any order."""
    history = History()
    for number in range(rng.randint(0, most)):
        versions: list[Row] = []
        row = _claim(rng, _or_null(rng, f"c{number}", 0.05))
        for _ in range(rng.choice((1, 1, 2, 3, 4))):
            versions.append(row)
            row = _corrected(rng, row)
        # a tie-break tells versions apart; one of them may have none
        order = rng.sample(range(len(versions)), len(versions))
        for version, seq in zip(versions, order, strict=True):
            version["seq"] = None if seq == 0 and rng.random() < 0.3 else seq
        history.claims += versions
    for thing in "ab":
        heard = rng.sample(range(-5, 30), rng.randint(0, 4))
        for at in heard:
            history.ratings.append(
                {
                    "thing": _or_null(rng, thing, 0.05),
                    "rated_at": _or_null(rng, at + rng.choice((0, -1, -4, 3, rng.randint(-20, 5)))),
                    "heard_at": at,
                    "gone": rng.choice((True, False, False, None)),
                    "stars": _or_null(rng, rng.randint(1, 5)),
                }
            )
    for meter, slot in ((m, s) for m in "xy" for s in range(rng.randint(0, 3))):
        for at in rng.sample(range(-5, 25), rng.randint(1, 3)):
            history.counts.append(
                {
                    "meter": meter,
                    "slot": _or_null(rng, slot),
                    "thing": _or_null(rng, rng.choice("ab")),
                    "read_at": _or_null(rng, at),
                    "gone": rng.choice((True, False, False, None)),
                    "n": _or_null(rng, rng.randint(0, 9)),
                }
            )
    for table in (history.claims, history.ratings, history.counts):
        rng.shuffle(table)
    numbers = [f"c{number}" for number in range(most)]
    for i in range(rng.randint(1, 2 * most)):
        label = {
            "label_id": i,
            "thing": _or_null(rng, rng.choice("aaabbbc")),
            "place": _or_null(rng, rng.choice("pppqqqr")),
            "claim": _or_null(rng, rng.choice(numbers)),
            "at": _or_null(rng, rng.choice((rng.randint(-6, 45), rng.randint(0, 20)))),
        }
        history.labels += [label] * rng.choice((1, 1, 1, 2))
    return history


def _claim(rng: Random, number: str | None) -> Row:
    happened = _or_null(rng, rng.randint(-5, 25), 0.05)
    late = rng.choice((0, 1, rng.randint(2, 9), rng.randint(2, 9), rng.randint(10, 40), -3))
    return {
        "claim": number,
        "thing": _or_null(rng, rng.choice("ab")),
        "place": _or_null(rng, rng.choice("pq")),
        "happened_at": happened,
        "known_at": None if happened is None else _or_null(rng, happened + late),
        "early_at": None if happened is None else _or_null(rng, happened + rng.choice((0, 0, -2, 1, 3))),
        "gone": _or_null(rng, False, 0.3),
        **_said(rng),
    }


def _said(rng: Random) -> Row:
    return {
        "n": _or_null(rng, rng.choice((0, 1, -1, 5, 9_000_000_000))),
        "d": _or_null(rng, Decimal(rng.randint(-99_999_999, 99_999_999)) / 10_000),
        "x": _or_null(rng, rng.choice((*BAD_NUMBERS, 0.1, 0.2, -0.3, 1.5, 1.5))),
        "flag": _or_null(rng, rng.random() < 0.5),
        "label": _or_null(rng, rng.choice("uvw")),
    }


def _corrected(rng: Random, row: Row) -> Row:
    """The next version: known at once, at the same moment, later, or (out of order) before."""
    after = rng.choice((0, 0, 1, rng.randint(1, 6), rng.randint(1, 20), -2))
    new = dict(row)
    for name in ("known_at", "early_at"):
        known = row[name] if row[name] is not None else row["happened_at"]
        new[name] = None if known is None else _or_null(rng, known + after, 0.05)
    what = rng.choice(("value", "value", "event", "key", "delete", "back", "same"))
    if what == "value":
        new |= _said(rng)
    elif what == "event":
        new["happened_at"] = _or_null(rng, (row["happened_at"] or 0) + rng.randint(-9, 9))
    elif what == "key":
        new |= {"thing": _or_null(rng, rng.choice("ab")), "place": _or_null(rng, rng.choice("pq"))}
    elif what == "delete":
        new["gone"] = True
    if row["gone"] and rng.random() < 0.6:
        new["gone"] = rng.choice((False, None))
    return new


def known_last(
    rows: Iterable[Row], thing: tuple[str, ...], known: Callable[[Row], Any], at: int, *, inclusive: bool
) -> list[Row]:
    """Of each thing the version known last; what is of no thing stands for itself."""
    last: dict[Any, Row] = {}
    for i, row in enumerate(rows):
        when = known(row)
        if when is None or not (when <= at if inclusive else when < at):
            continue
        own = tuple(row[name] for name in thing)
        key = i if None in own else own
        if key not in last or _order(row, known) > _order(last[key], known):
            last[key] = row
    return list(last.values())


def _order(row: Row, known: Callable[[Row], Any]) -> tuple[Any, ...]:
    seq = row.get("seq")
    return known(row), seq is not None, seq or 0


@dataclass(frozen=True)
class Asked:
    """One row of the spine, and whether what becomes known at its very time counts."""

    history: History
    label: Row
    inclusive: bool

    def claims(self, entity: str, window: int | None, known: str = "known_at", event: str = "happened_at") -> list[Row]:
        """The claims that count, as they were known."""
        return self._count(self.history.claims, ("claim",), lambda row: row[known], event, entity, window)

    def ratings(self, window: int | None) -> list[Row]:
        """The rating that counts: none or one."""
        return self._count(self.history.ratings, ("thing",), lambda r: r["heard_at"], "rated_at", "thing", window)

    def counts(self, window: int | None) -> list[Row]:
        """The counts that count."""

        def known(row: Row) -> int | None:
            return None if row["read_at"] is None else row["read_at"] + 3

        return self._count(self.history.counts, ("meter", "slot"), known, "read_at", "thing", window)

    def _count(
        self,
        rows: list[Row],
        thing: tuple[str, ...],
        known: Callable[[Row], Any],
        event: str,
        entity: str,
        window: int | None,
    ) -> list[Row]:
        at, key = self.label["at"], self.label[entity]
        if at is None or key is None:
            return []
        found = []
        for row in known_last(rows, thing, known, at, inclusive=self.inclusive):
            when = row[event]
            if row["gone"] or when is None or row[entity] != key:
                continue
            happened = when <= at if self.inclusive else when < at
            if happened and (window is None or when >= at - window):
                found.append(row)
        return found

    def claim(self, entity: str, name: str, within: int | None = None) -> Any:
        """A column of the newest claim: by event, by when it was known, by the tie-break, by its number."""
        rows = self.claims(entity, within)
        return max(rows, key=_newest_claim)[name] if rows else None

    def count(self, within: int | None) -> Any:
        """The newest count."""
        rows = self.counts(within)

        def order(row: Row) -> tuple[Any, ...]:
            return row["read_at"], row["meter"], row["slot"] is not None, row["slot"] or 0

        return max(rows, key=order)["n"] if rows else None


def _newest_claim(row: Row) -> tuple[Any, ...]:
    seq, claim = row["seq"], row["claim"]
    return row["happened_at"], row["known_at"], seq is not None, seq or 0, claim is not None, claim or ""


def _number(rows: list[Row]) -> int | None:
    return len(rows) or None


def _minus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a - 2 * b


def _flagged(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["flag"]]


ANSWERS: dict[str, Callable[[Asked], Any]] = {
    "thing.total over 7 seconds": lambda q: add(column(q.claims("thing", 7), "n")),
    "thing.total over 20 seconds": lambda q: add(column(q.claims("thing", 20), "n")),
    "thing.total over 1 second": lambda q: add(column(q.claims("thing", 1), "n")),
    "thing.total to date": lambda q: add(column(q.claims("thing", None), "n")),
    "thing.number over 7 seconds": lambda q: _number(q.claims("thing", 7)),
    "thing.number to date": lambda q: _number(q.claims("thing", None)),
    "place.mean over 7 seconds": lambda q: mean(column(q.claims("place", 7), "n")),
    "thing.mean to date": lambda q: mean(column(q.claims("thing", None), "n")),
    "thing.worth over 9 seconds": lambda q: add(column(q.claims("thing", 9), "d")),
    "place.worth to date": lambda q: add(column(q.claims("place", None), "d")),
    "thing.flagged over 7 seconds": lambda q: add(flags(q.claims("thing", 7))) or 0,
    "thing.flagged_total over 7 seconds": lambda q: add(column(_flagged(q.claims("thing", 7)), "n")),
    "thing.rate over 7 seconds": lambda q: ratio(add(flags(q.claims("thing", 7))) or 0, _number(q.claims("thing", 7))),
    "thing.balance over 10 seconds": lambda q: _minus(
        add(column(q.claims("thing", 10), "n")), add(column(q.claims("thing", 10, "early_at"), "n"))
    ),
    "thing.early_total to date": lambda q: add(column(q.claims("thing", None, "early_at"), "n")),
    "thing.early_dated over 6 seconds": lambda q: add(column(q.claims("thing", 6, event="early_at"), "n")),
    "thing.weight over 7 seconds": lambda q: add(column(q.claims("thing", 7), "x")),
    "thing.weight to date": lambda q: add(column(q.claims("thing", None), "x")),
    "thing.lightest over 7 seconds": lambda q: least(column(q.claims("thing", 7), "x")),
    "place.lightest to date": lambda q: least(column(q.claims("place", None), "x")),
    "thing.middle over 8 seconds": lambda q: middle(column(q.claims("thing", 8), "n")),
    "thing.kinds over 6 seconds": lambda q: len({r["label"] for r in q.claims("thing", 6)} - {None}),
    "thing.kinds over 20 seconds": lambda q: len({r["label"] for r in q.claims("thing", 20)} - {None}),
    "place.kinds to date": lambda q: len({r["label"] for r in q.claims("place", None)} - {None}),
    "claim.total to date": lambda q: add(column(q.claims("claim", None), "n")),
    "claim.total over 9 seconds": lambda q: add(column(q.claims("claim", 9), "n")),
    "claim.kinds to date": lambda q: len({r["label"] for r in q.claims("claim", None)} - {None}),
    "thing.score to date": lambda q: add(column(q.ratings(None), "stars")),
    "thing.score over 9 seconds": lambda q: add(column(q.ratings(9), "stars")),
    "thing.counted over 8 seconds": lambda q: add(column(q.counts(8), "n")),
    "thing.counted to date": lambda q: add(column(q.counts(None), "n")),
    # of another entity than the versions': from the rows
    "thing.claims.n": lambda q: q.claim("thing", "n"),
    "thing.claims.label within 9 seconds": lambda q: q.claim("thing", "label", 9),
    "place.claims.d within 4 seconds": lambda q: q.claim("place", "d", 4),
    "thing.counts.n as counted_last": lambda q: q.count(None),
    "thing.counts.n within 6 seconds": lambda q: q.count(6),
    # of the versions' own: the one known last
    "claim.claims.n": lambda q: q.claim("claim", "n"),
    "claim.claims.thing within 5 seconds": lambda q: q.claim("claim", "thing", 5),
    "thing.ratings.stars": lambda q: next(iter(column(q.ratings(None), "stars")), None),
    "thing.ratings.stars within 8 seconds as fresh": lambda q: next(iter(column(q.ratings(8), "stars")), None),
}


def apart(histories: Iterable[History]) -> list[History]:
    """The histories with keys of their own, so that they may stand side by side without changing an answer."""
    found = []
    for i, history in enumerate(histories):
        own = History()
        for table in COLUMNS:
            for row in getattr(history, table):
                keys = {k: f"{i}{row[k]}" for k in ("thing", "place", "claim", "meter") if row.get(k) is not None}
                numbers = {"label_id": 1000 * i + row["label_id"]} if "label_id" in row else {}
                getattr(own, table).append({**row, **keys, **numbers})
        found.append(own)
    return found


def merged(histories: list[History]) -> History:
    """Histories side by side in one."""
    return History(**{table: [row for h in histories for row in getattr(h, table)] for table in COLUMNS})


def compare_all(
    histories: list[History], rows: list[tuple[Any, ...]], texts: Iterable[str], *, inclusive: bool
) -> None:
    """Compare the answer for histories side by side, each of which is asked for its own labels."""

    def answer(text: str, label: Row) -> Any:
        return ANSWERS[text](Asked(histories[label["label_id"] // 1000], label, inclusive))

    compare(merged(histories).labels, rows, texts, answer)
