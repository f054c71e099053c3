"""The few words of SQL in which Spark and DuckDB differ."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

Dialect = Literal["spark", "duckdb"]

# A CASE is the fastest lookup in Spark while its code is short.
_LONGEST_CASE = 32
_IN_A_BUCKET = 2  # levels, on average


@dataclass(frozen=True)
class Words:
    """How one engine says it.

    Attributes:
        dialect: The name of the engine, as sqlglot has it.
        map_value: The function that gives a map's value for a key, or NULL.
        list_value: The function that gives a list's value at a place, or NULL.
        first: The place of a list's first value.
        mapped: The function that applies a lambda to each value of a list.
        map_of: The function that makes a map of a list of keys and a list of values.
        error: The function that raises an error.
    """

    dialect: Dialect
    map_value: str
    list_value: str
    first: int
    mapped: str
    map_of: str
    error: str

    def of_map(self, map_: exp.Expr, key: exp.Expr) -> exp.Expr:
        """The value of a map for a key; NULL for a key that it does not have and for NULL."""
        return call(self.map_value, map_, key)

    def of_list(self, list_: exp.Expr, at: int) -> exp.Expr:
        """The value of a list; places count from 0."""
        return call(self.list_value, list_, exp.Literal.number(at + self.first))

    def each(self, list_: exp.Expr, body: Callable[[exp.Expr], exp.Expr], name: str) -> exp.Expr:
        """The list of what `body` makes of each value; `name` is the variable's."""
        variable = exp.to_identifier(name)
        return call(self.mapped, list_, exp.Lambda(this=body(exp.column(name)), expressions=[variable]))

    def without_nan(self, value: exp.Expr) -> exp.Expr:
        """NULL instead of NaN."""
        if self.dialect == "spark":
            # Its NULLIF makes a projection of its own, by which equal scores are no longer known as equal.
            return call("NANVL", value, exp.cast(exp.null(), "double"))
        return exp.Nullif(this=value, expression=double(math.nan))  # NaN is equal to NaN

    def raised(self, message: str) -> exp.Expr:
        """An expression that raises an error whenever it is evaluated."""
        return call(self.error, exp.Literal.string(message))

    def lookup(self, key: exp.Expr, values: Mapping[str | float, float]) -> exp.Expr:
        """The literal number for a level, NULL for an unknown one."""
        if not values:
            return exp.cast(exp.null(), "double")
        if self.dialect == "spark" and len(values) <= _LONGEST_CASE:
            return exp.Case(
                this=key,
                ifs=[exp.If(this=literal(level), true=double(value)) for level, value in values.items()],
            )
        if self.dialect == "spark" and all(isinstance(level, str) for level in values):
            return self._hashed(key, {str(level): value for level, value in values.items()})
        levels = self.list_of([literal(level) for level in values])
        return self.of_map(call(self.map_of, levels, self.list_of([double(each) for each in values.values()])), key)

    def _hashed(self, key: exp.Expr, values: Mapping[str, float]) -> exp.Expr:
        """Spark compares a key with all those of a map in turn; this compares it with those of its hash."""
        buckets: list[dict[str, float]] = [{} for _ in range(len(values) // _IN_A_BUCKET)]
        for level, value in values.items():
            buckets[zlib.crc32(level.encode()) % len(buckets)][level] = value
        # Not a list of maps: Spark takes no two of them for equal, and so no two scores.
        levels = self.list_of([self.list_of([literal(level) for level in each]) for each in buckets])
        numbers = self.list_of([self.list_of([double(value) for value in each.values()]) for each in buckets])
        bucket = exp.cast(exp.Mod(this=call("CRC32", key), expression=exp.Literal.number(len(buckets))), "int")
        place = call("ARRAY_POSITION", call(self.list_value, levels, bucket), key)
        before = exp.Sub(this=exp.cast(place, "int"), expression=exp.Literal.number(1))
        return call(self.list_value, call(self.list_value, numbers, bucket), before)

    def list_of(self, values: Sequence[exp.Expr]) -> exp.Expr:
        """A list of these values."""
        return exp.Array(expressions=list(values))

    def total(self, list_: exp.Expr) -> exp.Expr:
        """The sum of a list of DOUBLE without NULLs."""
        if self.dialect == "duckdb":
            return call("LIST_SUM", list_)
        added = exp.Add(this=exp.column("s"), expression=exp.column("a"))
        merge = exp.Lambda(this=added, expressions=[exp.to_identifier("s"), exp.to_identifier("a")])
        return call("AGGREGATE", list_, double(0.0), merge)


_ENGINES = {
    "spark": Words("spark", "TRY_ELEMENT_AT", "GET", 0, "TRANSFORM", "MAP_FROM_ARRAYS", "RAISE_ERROR"),
    "duckdb": Words("duckdb", "MAP_EXTRACT_VALUE", "LIST_EXTRACT", 1, "LIST_TRANSFORM", "MAP", "ERROR"),
}


def words(dialect: Dialect) -> Words:
    """The words of an engine."""
    return _ENGINES[dialect]


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A call that sqlglot writes as it is, in any dialect."""
    return exp.Anonymous(this=name, expressions=[each.copy() for each in arguments])


def literal(value: str | float) -> exp.Expr:
    """A text, or a number as DOUBLE."""
    return exp.Literal.string(value) if isinstance(value, str) else double(value)


def double(value: float) -> exp.Expr:
    """Exactly this number as DOUBLE: a literal without an exponent may be a DECIMAL."""
    text = repr(float(value))
    if not math.isfinite(value):
        return exp.cast(exp.Literal.string(text), "double")
    size = text.removeprefix("-")
    # Not by Literal.number, which writes the number anew.
    number = exp.Literal(this=size if "e" in size else f"{size}e0", is_string=False)
    return number if size == text else exp.Neg(this=number)


def number(argument: exp.Expr) -> exp.Expr:
    """An argument as DOUBLE."""
    return exp.cast(argument.copy(), "double")


def added(terms: Sequence[exp.Expr]) -> exp.Expr:
    """The sum of the terms."""
    total, *rest = terms
    for term in rest:
        total = exp.Add(this=total, expression=term)
    return total
