"""A row's columns as rows of their own, so that one scan and one aggregation serve thousands of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlglot import exp

from penstock.dialects import Dialect, call
from penstock.monitoring.words import formula

Kind = Literal["number", "text"]
NUMBER: Kind = "number"
TEXT: Kind = "text"


def exploded(values: Sequence[exp.Expr], place: str, value: str, dialect: Dialect) -> list[exp.Expr]:
    """The projections that make of each row one for each value of a list: its place, counted from 0, and the value.

    Args:
        values: The values, of one type.
        place: The name of the column of places.
        value: The name of the column of values.
        dialect: Whose SQL it is.
    """
    listed = exp.Array(expressions=list(values))
    if dialect == "spark":
        names = [exp.to_identifier(place), exp.to_identifier(value)]
        return [exp.Aliases(this=call("POSEXPLODE", listed), expressions=names)]
    places = call("RANGE", exp.Literal.number(len(values)))
    return [exp.alias_(call("UNNEST", places), place), exp.alias_(call("UNNEST", listed), value)]


def value_at(list_: exp.Expr, place: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The value of a list at a place that counts from 0; NULL beyond its end."""
    if dialect == "spark":
        return call("GET", list_, place)
    return call("LIST_EXTRACT", list_, formula(":place + 1", place=place))


def places_of(names: Sequence[str], dialect: Dialect) -> exp.Select:
    """A relation of one row a name: its `place`, counted from 0, and the `feature` of that name."""
    return exp.select(*exploded([exp.Literal.string(name) for name in names], "place", "feature", dialect))


def finite(x: exp.Expr) -> exp.Expr:
    """Whether a DOUBLE is a number, and no infinite one; not true of NULL."""
    # NaN is above infinity on both engines.
    return formula("ABS(:x) < CAST('Infinity' AS DOUBLE)", x=x)


def integer(value: int) -> exp.Expr:
    """A whole number."""
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))
