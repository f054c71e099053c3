"""Run a training set on DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

COLUMNS = {
    "labels": {"label_id": "INT", "thing": "TEXT", "place": "TEXT", "at": "TIMESTAMP"},
    "events": {
        "id": "INT", "thing": "TEXT", "place": "TEXT", "happened_at": "TIMESTAMP", "known_at": "TIMESTAMP",
        "early_at": "TIMESTAMP", "n": "BIGINT", "d": "DECIMAL(20,4)", "x": "DOUBLE", "flag": "BOOLEAN", "label": "TEXT",
    },
    "readings": {"id": "INT", "thing": "TEXT", "read_at": "TIMESTAMP", "value": "INT"},
    "places": {"place": "TEXT", "country": "TEXT"},
    "prices": {"id": "INT", "thing": "TEXT", "valid_from": "TIMESTAMP", "valid_to": "TIMESTAMP", "price": "INT"},
}  # fmt: skip


def moment(seconds: int) -> datetime:
    """Seconds of the tests' clock, which starts before 1970 so that times of both signs occur."""
    return datetime.fromtimestamp(seconds - 10, tz=UTC).replace(tzinfo=None)


def table_rows(kinds: Mapping[str, str], rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows as tuples by the types of their columns, their seconds as timestamps."""
    return [
        tuple(moment(row[c]) if t == "TIMESTAMP" and row[c] is not None else row[c] for c, t in kinds.items())
        for row in rows
    ]


def duckdb_of(world: Any, tables: Mapping[str, Mapping[str, str]] = COLUMNS) -> duckdb.DuckDBPyConnection:
    """A database with the world's tables."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    for table, kinds in tables.items():
        columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
        connection.execute(f"CREATE TABLE {table} ({columns})")
        rows = table_rows(kinds, getattr(world, table))
        if rows:
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(kinds))})", rows)
    return connection


def seconds(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Answers with the spine's timestamp as seconds again."""
    zero = moment(0)
    return [tuple(int((v - zero).total_seconds()) if isinstance(v, datetime) else v for v in row) for row in rows]
