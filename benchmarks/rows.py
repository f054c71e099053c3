"""Results as rows that can be compared: no order, equal within 1e-9 relative, and a checksum of them."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import math
from typing import Any

import duckdb

Table = tuple[list[str], list[tuple[Any, ...]]]
_TOLERANCE = 1e-9


def fetched(con: duckdb.DuckDBPyConnection, sql: str) -> Table:
    """The result of a statement, its columns by name and its rows in an order of their own."""
    cursor = con.execute(sql)
    names = [d[0] for d in cursor.description or ()]
    at = sorted(range(len(names)), key=names.__getitem__)
    rows = [tuple(_plain(row[i]) for i in at) for row in cursor.fetchall()]
    return sorted(names), sorted(rows, key=_order)


def difference(one: Table, other: Table) -> str | None:
    """Where two results differ first; None where they are equal."""
    if one[0] != other[0]:
        return f"columns {one[0]} and {other[0]}"
    if len(one[1]) != len(other[1]):
        return f"{len(one[1])} and {len(other[1])} rows"
    for left, right in zip(one[1], other[1], strict=True):
        if not all(map(_same, left, right)):
            return f"{left} and {right}"
    return None


def checksum(tables: list[Table]) -> str:
    """A short sum of results; figures count with nine digits, so that it tells the same on another machine."""
    digest = hashlib.sha256()
    for names, rows in tables:
        digest.update(repr(names).encode())
        for row in rows:
            digest.update(repr([f"{v:.9g}" if isinstance(v, float) else v for v in row]).encode())
    return digest.hexdigest()[:12]


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day).isoformat()
    if isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool):
        return float(value)
    return value


def _order(row: tuple[Any, ...]) -> Any:
    # keys first: two doubles that differ in the last digit must not change the order of the rows
    keys = [(v is not None, str(v)) for v in row if not isinstance(v, float)]
    return keys, [float(f"{v:.6g}") for v in row if isinstance(v, float)]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        both_nan = math.isnan(one) and math.isnan(other)
        return both_nan or math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=1e-12)
    return bool(one == other)
