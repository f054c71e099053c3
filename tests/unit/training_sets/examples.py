"""Spines to be split and sampled: random rows with NULLs, ties and duplicates, and the hash in plain Python."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from worlds import manifest

from penstock.training_sets import (
    Balance,
    Candidates,
    EntitySplit,
    HashSplit,
    Negatives,
    Sample,
    Spine,
    TimeSplit,
    TrainingSetRequest,
    compile_training_set,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

Row = dict[str, Any]
ZERO = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2020, 1, 1)
EXAMPLES = {"id": "INT", "thing": "TEXT", "place": "TEXT", "at": "TIMESTAMP", "late": "INT", "day": "DATE"}
EVENTS = {"id": "INT", "place": "TEXT", "happened_at": "TIMESTAMP", "known_at": "TIMESTAMP", "n": "BIGINT"}
STOCK = {"place": "TEXT", "code": "TEXT", "listed_at": "TIMESTAMP"}
SPINE = Spine("examples", at="at", entities={"thing": "thing", "place": "place"})
FEATURE = "place.total to date"
SHARES = {"train": 0.6, "validation": "0.15", "test": 0.25}
# each part of a request by itself and with others, to be asked on both engines
REQUESTS: dict[str, dict[str, Any]] = {
    "time": {"split": TimeSplit("2020-01-05 12:00", validation_from="2020-01-03", gap="6 hours")},
    "entity": {"split": EntitySplit("place", SHARES, seed=7)},
    "hash": {"split": HashSplit(("thing", "day", "late", "at"), SHARES, seed=7)},
    "sample": {"sample": Sample("0.3", ("id", "at"), seed=5)},
    "balance": {"balance": Balance("late", ("id", "place"), ratio="1.5")},
    "part": {"split": HashSplit(("id",), SHARES), "balance": Balance("late", ("id",), splits=("train",))},
    "negatives": {"negatives": Negatives("place", 3, "hit", seed=2)},
    "stock": {"negatives": Negatives("place", 4, "hit", candidates=Candidates("stock", since="listed_at"))},
    "always": {"negatives": Negatives("place", 2, "hit", candidates=Candidates("stock", column="code"))},
    "all": {
        "sample": Sample(0.7, ("id",)),
        "negatives": Negatives("place", 3, "hit"),
        "split": EntitySplit("place", SHARES),
        "balance": Balance("hit", ("id", "place"), splits=("train", "test")),
    },
}


def random_examples(rng: Random, count: int, *, things: int = 5, places: int = 12, days: int = 8) -> list[Row]:
    """Rows whose times tie, with NULLs everywhere but in their ids; one in eight occurs twice."""
    rows = []
    for i in range(count):
        at = START + timedelta(hours=rng.randint(0, 24 * days), microseconds=rng.choice((0, 0, 1, 999_999)))
        row = {
            "id": i,
            "thing": _or_null(rng, f"t{rng.randrange(things)}"),
            "place": _or_null(rng, f"p{min(rng.randrange(places), rng.randrange(places))}"),
            "at": _or_null(rng, at),
            "late": _or_null(rng, int(rng.random() < 0.2)),
            "day": _or_null(rng, at.date()),
        }
        rows += [row] * rng.choice((1, 1, 1, 1, 1, 1, 1, 2))
    return rows


def random_stock(rng: Random, *, places: int = 12) -> list[Row]:
    """Places with the time from which they may be drawn, some of them twice, some never."""
    rows = []
    for i in range(places + 5):
        listed = [START + timedelta(hours=rng.randint(-10, 24 * 8)) for _ in range(rng.choice((1, 1, 2)))]
        rows += [{"place": f"p{i}", "code": f"c{i}", "listed_at": _or_null(rng, moment)} for moment in listed]
    return [*rows, {"place": None, "code": None, "listed_at": START}]


def random_events(rng: Random, count: int, *, places: int = 12) -> list[Row]:
    """What features are made of."""
    rows = []
    for i in range(count):
        at = START + timedelta(minutes=rng.randint(0, 60 * 24 * 8))
        known = at + timedelta(hours=rng.choice((0, 0, 5, 30)))
        place = f"p{rng.randrange(places)}"
        rows.append({"id": i, "place": place, "happened_at": at, "known_at": known, "n": rng.randint(-9, 9)})
    return rows


def _or_null(rng: Random, value: Any) -> Any:
    return None if rng.random() < 0.06 else value


def database(examples: list[Row], stock: Iterable[Row] = (), events: Iterable[Row] = ()) -> duckdb.DuckDBPyConnection:
    """A database with these tables."""
    connection = duckdb.connect()
    tables = (("examples", EXAMPLES, examples), ("stock", STOCK, stock), ("events", EVENTS, events))
    for name, kinds, given in tables:
        columns = ", ".join(f'"{column}" {kind}' for column, kind in kinds.items())
        connection.execute(f"CREATE TABLE {name} ({columns})")
        if rows := list(given):
            table = pa.Table.from_pylist([{c: row[c] for c in kinds} for row in rows])
            connection.register("given", table)
            connection.execute(f"INSERT INTO {name} SELECT * FROM given")
    return connection


def asked(connection: duckdb.DuckDBPyConnection, *, spine: Spine = SPINE, **parts: Any) -> list[Row]:
    """The rows of a training set with these parts."""
    request = TrainingSetRequest(spine, (FEATURE,), types={"events": {"n": "bigint"}}, **parts)
    compiled = compile_training_set(manifest(), request, "duckdb")
    found = connection.execute(compiled.sql)
    names = [d[0] for d in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def ordered(rows: Iterable[Row]) -> list[list[tuple[str, str]]]:
    """Rows in an order of their own, so that two lists can be compared."""
    return sorted(sorted((name, repr(value)) for name, value in row.items()) for row in rows)


def without(rows: Iterable[Row], *names: str) -> list[Row]:
    """Rows without these columns."""
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def microseconds(moment: datetime) -> int:
    """A time in UTC as microseconds since 1970."""
    return (moment.replace(tzinfo=UTC) - ZERO) // timedelta(microseconds=1)


def number(values: Iterable[Any], purpose: str, seed: int) -> int:
    """The stable hash, in Python: fifteen hexadecimal digits of an MD5 over the MD5s of the values' texts."""
    parts = ["-" if value is None else _md5(_text(value)) for value in values]
    return int(_md5(f"{purpose}:{seed}:" + "".join(parts))[:15], 16)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(microseconds(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
