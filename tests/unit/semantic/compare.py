"""Worlds in DuckDB, and their answers so that they compare: whatever the order, and what little engines round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
from naive import plain
from world_models import SCHEMA, World

Answer = tuple[list[str], list[tuple[Any, ...]]]
_TYPES = {"int": "BIGINT", "double": "DOUBLE", "text": "VARCHAR", "bool": "BOOLEAN", "time": "TIMESTAMP"}


def loaded(world: World) -> duckdb.DuckDBPyConnection:
    """A database of its own with the world's tables."""
    con = duckdb.connect()
    con.execute(f"CREATE SCHEMA {SCHEMA}")
    for name, table in world.tables.items():
        columns = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in table.columns.items())
        con.execute(f"CREATE TABLE {SCHEMA}.{name} ({columns})")
        if table.rows:
            row = f"({', '.join('?' * len(table.columns))})"
            rows = ", ".join([row] * len(table.rows))
            con.execute(f"INSERT INTO {SCHEMA}.{name} VALUES {rows}", [value for row in table.rows for value in row])
    return con


def answer_of(con: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """The columns and rows of a statement."""
    cursor = con.execute(sql)
    return [d[0] for d in cursor.description or ()], cursor.fetchall()


def difference(one: Answer, other: Answer) -> str | None:
    """Which rows only one of two answers has; None where they are equal."""
    if sorted(one[0]) != sorted(other[0]):
        return f"columns {sorted(one[0])} and {sorted(other[0])}"
    mine, theirs = _rows(one), _rows(other)
    if mine == theirs:
        return None
    return f"{sorted(one[0])}: {_less(mine, theirs)} and {_less(theirs, mine)}"


def begins(answer: Answer, whole: Answer, order: Sequence[str], limit: int) -> bool:
    """Whether an answer is the beginning of another one in an order, which may leave some rows equal."""
    names = [name.removeprefix("-") for name in order]

    def keys(rows: Answer) -> list[tuple[Any, ...]]:
        return [tuple(_plain(row[rows[0].index(name)]) for name in names) for row in rows[1]]

    found, every = keys(answer), keys(whole)
    for i, name in reversed(list(enumerate(order))):
        there = sorted((k for k in every if k[i] is not None), key=lambda k: k[i], reverse=name.startswith("-"))
        every = there + [k for k in every if k[i] is None]
    return found == every[:limit] and not _less(_rows(answer), _rows(whole))


def once(answer: Answer) -> Answer:
    """The answer with each row once: MetricFlow repeats those of a time spine that is filtered below its grain."""
    return answer[0], list(dict.fromkeys(answer[1]))


def _rows(answer: Answer) -> list[tuple[Any, ...]]:
    at = sorted(range(len(answer[0])), key=answer[0].__getitem__)
    rows = [tuple(_plain(row[i]) for i in at) for row in answer[1]]
    return sorted(rows, key=lambda r: [(v is not None, str(v)) for v in r])


def _less(rows: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    rest = list(others)
    return [row for row in rows if row not in rest or rest.remove(row)]  # type: ignore[func-returns-value]


def _plain(value: Any) -> Any:
    found = plain(value)
    return found + 0.0 if isinstance(found, float) else found  # no -0.0
