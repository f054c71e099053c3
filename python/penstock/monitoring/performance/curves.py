"""Values of a curve that is stored as a table of points: a calibration, or how many labels have arrived by an age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from penstock.dialects import Dialect, call
from penstock.monitoring.words import (
    column,
    each,
    extended,
    formula,
    inside,
    known_dialect,
    named,
    numbers_to,
    source,
    totals,
)

Between = Literal["line", "step"]
_OWN = ("__at", "__xs", "__ys", "__jumps", "__place")  # columns on the way


@dataclass(frozen=True)
class Curve:
    """Points of curves, as a relation; few enough to be in one list a curve.

    Attributes:
        relation: A query, or the name of a table as the dialect writes it.
        x: The column of places, no two of a curve equal.
        y: The column of values.
        by: The columns that tell curves apart, which the rows that are looked up have too.
    """

    relation: str | exp.Query
    x: str = "x"
    y: str = "y"
    by: tuple[str, ...] = ()


def looked_up(
    relation: str | exp.Query, at: str, curve: Curve, dialect: Dialect, *, name: str, between: Between = "line"
) -> exp.Select:
    """The rows of a relation, each with the value of its curve at a place, found by bisection.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        at: The column of places, a number.
        curve: The curve.
        dialect: Whose SQL it is.
        name: The new column, which the relation does not have.
        between: `line`: on the line between two points, and beyond the outer ones what those have. `step`: the value of
            the last point at the place or before it, and 0 before the first.

    Returns:
        A query of all columns of the relation and the new one, DOUBLE; NULL where the place is NULL or NaN, or there is
        no curve.

    Raises:
        UnknownNameError: The dialect is neither of the two.

    Example:
        >>> import duckdb, sqlglot
        >>> points = sqlglot.parse_one("SELECT * FROM (VALUES (0.2e0, 0e0), (0.4e0, 1e0)) AS t (x, y)")
        >>> rows = sqlglot.parse_one("SELECT * FROM (VALUES (0.1e0), (0.25e0)) AS t (p)")
        >>> query = looked_up(rows, "p", Curve(points), "duckdb", name="c").sql("duckdb")
        >>> duckdb.sql(f"SELECT p, round(c, 9) FROM ({query})").fetchall()
        [(0.1, 0.0), (0.25, 0.25)]
    """
    known_dialect(dialect)
    given = exp.select("*", exp.alias_(exp.cast(column(at), "double"), "__at")).from_(source(relation, dialect))
    keys = {f"__by_{i}": key for i, key in enumerate(curve.by)}
    joined = exp.select("*").from_(given.subquery("rows_given", copy=False), copy=False)
    lists = _lists(curve, list(keys), dialect).subquery("curves", copy=False)
    if keys:
        same = (
            exp.EQ(this=exp.column(key, table="rows_given", quoted=True), expression=exp.column(own))
            for own, key in keys.items()
        )
        joined = joined.join(lists, on=exp.and_(*same), join_type="left", copy=False)
    else:
        joined = joined.join(lists, join_type="cross", copy=False)
    placed = extended(joined, {"__place": _place(dialect)})
    star = exp.Star(except_=[exp.to_identifier(own) for own in (*_OWN, *keys)])
    value = formula("CASE WHEN NOT __at IS NULL AND NOT ISNAN(__at) THEN :value END", value=_value(between, dialect))
    return exp.select(star, exp.alias_(value, name, quoted=True)).from_(placed.subquery("placed", copy=False))


def _lists(curve: Curve, keys: Sequence[str], dialect: Dialect) -> exp.Select:
    """For each curve the lists of its places and values, and the jumps of a bisection, each half of the one before."""
    own: dict[str, exp.Expr | str] = {
        "x": exp.cast(column(curve.x), "double"),
        "y": exp.cast(column(curve.y), "double"),
        **{key: column(name) for key, name in zip(keys, curve.by, strict=True)},
    }
    points = exp.select(*named(own)).from_(source(curve.relation, dialect), copy=False)
    lists: dict[str, exp.Expr | str] = {"__xs": _list("x", dialect), "__ys": _list("y", dialect), "points": "COUNT(*)"}
    count = formula("CAST(FLOOR(LN(points + 1e0) / LN(2e0)) AS INT) + 1")
    jump = formula("CAST(POWER(2e0, :count - k) AS INT)", count=count)
    jumps = each(numbers_to(count, dialect), "k", jump, dialect)
    gathered = totals(points, keys, lists)
    return exp.select(*keys, "__xs", "__ys", *named({"__jumps": jumps})).from_(inside(gathered), copy=False)


def _list(axis: str, dialect: Dialect) -> exp.Expr:
    """The values of an axis in the order of the places."""
    if dialect == "duckdb":
        return call("LIST", exp.Order(this=exp.column(axis), expressions=[exp.Ordered(this=exp.column("x"))]))
    pairs = call("ARRAY_SORT", call("COLLECT_LIST", call("STRUCT", exp.column("x"), exp.column("y"))))
    return each(pairs, "point", exp.column(axis, table="point"), dialect)


def _place(dialect: Dialect) -> exp.Expr:
    """How many places of the curve are at most that of the row."""
    beyond = formula("place + jump")
    value = _item("__xs", beyond, dialect)
    # Beyond the last place there is NULL, and no comparison is true of it.
    jumped = formula("CASE WHEN :value <= __at THEN :beyond ELSE place END", value=value, beyond=beyond)
    merge = exp.Lambda(this=jumped, expressions=[exp.to_identifier("place"), exp.to_identifier("jump")])
    jumps, start = exp.column("__jumps"), exp.cast(exp.Literal.number(0), "int")
    if dialect == "duckdb":
        return call("LIST_REDUCE", jumps, merge, start)
    return call("AGGREGATE", jumps, start, merge)


def _item(list_: str, place: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The value of a list at a place that counts from 1; NULL where there is none."""
    if dialect == "duckdb":
        return call("LIST_EXTRACT", exp.column(list_), place)
    return call("GET", exp.column(list_), formula(":place - 1", place=place))


def _value(between: Between, dialect: Dialect) -> exp.Expr:
    place = exp.column("__place")
    x, y = (_item(list_, place, dialect) for list_ in ("__xs", "__ys"))
    if between == "step":
        return formula("CASE WHEN __place > 0 THEN :y WHEN NOT __xs IS NULL THEN 0e0 END", y=y)
    following = formula("__place + 1")
    next_x, next_y = (_item(list_, following, dialect) for list_ in ("__xs", "__ys"))
    return formula(
        """
        CASE WHEN __place = 0 THEN :next_y
             WHEN :next_x IS NULL THEN :y
             ELSE (:next_y - :y) / (:next_x - :x) * (__at - :x) + :y END
        """,
        x=x, y=y, next_x=next_x, next_y=next_y,
    )  # fmt: skip
