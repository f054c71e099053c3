"""Random Delta tables that deltalake writes, and what must be in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, WriterProperties, write_deltalake

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("split", pa.string()),
        ("small", pa.int16()),
        ("x", pa.float64()),
        ("price", pa.decimal128(20, 4)),
        ("at", pa.timestamp("us", "UTC")),
        ("local", pa.timestamp("us")),
        ("day", pa.date32()),
        ("flag", pa.bool_()),
        ("raw", pa.binary()),
        ("tags", pa.list_(pa.string())),
    ]
)
Row = dict[str, Any]


def random_row(random: Random, number: int) -> Row:
    """A row of SCHEMA; `id` is its number, anything else may be NULL."""
    moment = datetime(1, 1, 1) + timedelta(microseconds=random.randrange(315_537_897_599_999_999))
    row = {
        "split": random.choice(["train", "test", "é / % =", ""]),
        "small": random.randrange(-3, 3),
        "x": random.choice([random.gauss(0, 1), float("inf"), -0.0]),
        "price": Decimal(random.randrange(-(10**19), 10**19)).scaleb(-4),
        "at": moment.replace(tzinfo=UTC),
        "local": moment,
        "day": date(1, 1, 1) + timedelta(days=random.randrange(3_652_059)),
        "flag": random.random() < 0.5,
        "raw": random.randbytes(3),
        "tags": ["a", None][: random.randrange(3)],
    }
    return {"id": number, **{name: None if random.random() < 0.2 else value for name, value in row.items()}}


@dataclass
class Written:
    """A table, and the rows of each of its versions by id."""

    path: Path
    versions: list[dict[int, Row]]


def random_table(path: Path, seed: int, *, partition_by: list[str] | None = None, writes: int = 5) -> Written:
    """Append, delete and update at random; the files have row groups of a few rows."""
    random, numbers = Random(seed), itertools.count()
    rows: dict[int, Row] = {}
    versions: list[dict[int, Row]] = []
    for write in range(writes):
        what = random.choice(["append", "append", "delete", "update"]) if write else "append"
        digit = random.randrange(4)
        if what == "append":
            fresh = {n: random_row(random, n) for n in itertools.islice(numbers, random.randrange(1, 40))}
            append(path, list(fresh.values()), row_group=random.randrange(1, 12), partition_by=partition_by)
            rows = {**rows, **fresh}
        elif what == "delete":
            DeltaTable(path).delete(f"id % 4 = {digit}")
            rows = {n: row for n, row in rows.items() if n % 4 != digit}
        else:
            DeltaTable(path).update({"x": "7.5"}, predicate=f"id % 4 = {digit}")
            rows = {n: {**row, "x": 7.5} if n % 4 == digit else row for n, row in rows.items()}
        # what changes no row is no version
        versions += [rows] * (DeltaTable(path).version() + 1 - len(versions))
    return Written(path, versions)


def append(path: Path, rows: list[Row], *, row_group: int, partition_by: list[str] | None = None) -> None:
    write_deltalake(
        path, pa.Table.from_pylist(rows, SCHEMA), mode="append", partition_by=partition_by,
        writer_properties=WriterProperties(max_row_group_size=row_group),
    )  # fmt: skip


def plain_table(path: Path, rows: int, *, files: int = 1, row_group: int = 1_000, columns: int = 4) -> Path:
    """Columns `id`, and `c1` … of doubles that do not compress."""
    for number in range(files):
        random = Random(number)
        table = {"id": range(number * rows, (number + 1) * rows)}
        table |= {f"c{index}": [random.random() for _ in range(rows)] for index in range(1, columns)}
        write_deltalake(
            path, pa.table(table), mode="append", writer_properties=WriterProperties(max_row_group_size=row_group)
        )
    return path


def ids(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [number for batch in batches for number in batch.column("id").to_pylist()]


def by_id(table: pa.Table) -> dict[int, Row]:
    rows = table.to_pylist()
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found
