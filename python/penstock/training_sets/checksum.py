"""A checksum of rows that depends neither on their order nor on how they are spread over partitions, as Spark SQL.

Each row becomes a 64-bit hash; the checksum is made of the number of rows and two order-free folds of the hashes, so
that no single fold decides. Doubles count with every bit, but 0.0 and -0.0
are the same, and so are all NaNs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlglot import exp

from penstock.training_sets.sql import not_null, user_column

Columns = Sequence[tuple[str, str]]  # name and type, as Spark writes it

_NESTED = ("array", "map", "struct", "variant")


def checksum_parts(columns: Columns) -> tuple[str, str, str]:
    """The three aggregates over rows with these columns that `checksum` takes.

    Example:
        >>> checksum_parts([("a", "int")])[0]
        'COUNT(*)'
    """
    row = exp.Anonymous(this="XXHASH64", expressions=_hashed(columns))
    none = exp.Literal.number(0)
    wide = exp.Cast(this=row.copy(), to=exp.DataType.build("decimal(20, 0)", dialect="spark"))
    parts = (
        exp.Count(this=exp.Star()),
        exp.Coalesce(this=exp.Anonymous(this="BIT_XOR", expressions=[row]), expressions=[none]),
        exp.Coalesce(this=exp.Sum(this=wide), expressions=[none.copy()]),
    )
    count, folded, summed = (part.sql("spark") for part in parts)
    return count, folded, summed


def checksum_query(query: str, columns: Columns) -> str:
    """The one row of `checksum_parts` over a query in Spark SQL."""
    return f"SELECT {', '.join(checksum_parts(columns))} FROM (\n{query}\n)"


def checksum(columns: Columns, parts: Iterable[Any]) -> str:
    """The checksum from the values of `checksum_parts`; other names or types of columns give another one."""
    named = [f"{name.lower()} {kind}" for name, kind in columns]
    return hashlib.sha256("|".join([*named, *(str(int(part)) for part in parts)]).encode()).hexdigest()[:32]


def _hashed(columns: Columns) -> list[exp.Expr]:
    """What is hashed of a row; a NULL leaves Spark's hash as it is, so whether there is one is hashed beside it."""
    found: list[exp.Expr] = []
    for name, kind in columns:
        value: exp.Expr = user_column(name)
        if kind.lower().startswith(_NESTED):  # a hash takes no map, and passes over a NULL within
            options = exp.Anonymous(this="MAP", expressions=[_text("ignoreNullFields"), _text("false")])
            struct = exp.Anonymous(this="NAMED_STRUCT", expressions=[_text("v"), value.copy()])
            value = exp.Anonymous(this="TO_JSON", expressions=[struct, options])
        found += [value, not_null(user_column(name))]
    return found or [exp.Literal.number(0)]


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)
