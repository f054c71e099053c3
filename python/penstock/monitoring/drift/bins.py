"""The bin of each value of a row, as each engine finds it fastest: in a list of edges, or by code for each edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.dialects import call, double
from penstock.errors import InvalidRequestError
from penstock.monitoring.drift.bin_edges import INFINITE, MISSING, NOT_A_NUMBER
from penstock.monitoring.drift.explode import NUMBER, exploded, finite, integer, places_of, value_at
from penstock.monitoring.words import each, formula, source

if TYPE_CHECKING:
    from penstock.monitoring.drift.tiling import Feature, Tiling

_BIN = """
CASE WHEN :x IS NULL THEN :missing
     WHEN ISNAN(:x) THEN :not_a_number
     WHEN ABS(:x) = CAST('Infinity' AS DOUBLE) THEN :infinite
     ELSE :found END
"""
_SPECIAL = {"missing": integer(MISSING), "not_a_number": integer(NOT_A_NUMBER), "infinite": integer(INFINITE)}


def searched(rows: exp.Select, values: Sequence[exp.Expr], tiling: Tiling) -> exp.Select:
    """For Spark: the place of the last lower edge that is not above the value, by halves.

    The edges are data and not code: a branch for each would be more code than the JVM compiles.

    Args:
        rows: The rows, with what else is kept of them.
        values: Of each feature its value as DOUBLE.
        tiling: Its features and edges.

    Returns:
        A query of what is kept, `place` of the feature, `bin` and `away`.
    """
    kept = [name.alias_or_name for name in rows.selects]
    cells = rows.select(*exploded(values, "place", "x", "spark")).subquery("cells")
    query = exp.select(*(exp.column(name, "cells") for name in (*kept, "place", "x")), "lows", "afters", "centre")
    query = query.select(exp.alias_(integer(0), "found")).from_(cells)
    query = query.join(_lows(tiling).subquery("lows"), on="cells.place = lows.place").hint(
        "BROADCAST(lows)", dialect="spark"
    )
    carried = [exp.column(name) for name in (*kept, "place", "x", "lows", "afters", "centre")]
    step = 1 << (max(feature.bins for feature in tiling.features) - 1).bit_length()
    while step > 1:
        step //= 2
        there = formula("found + :step", step=integer(step))
        further = formula(
            "found + CASE WHEN x >= :low THEN :step ELSE 0 END",
            low=value_at(exp.column("lows"), there, "spark"), step=integer(step),
        )  # fmt: skip
        query = exp.select(*carried, exp.alias_(further, "found")).from_(query.subquery("halved"))
    found = formula(
        "CASE WHEN :after AND x = :low THEN found - 1 ELSE found END",
        after=value_at(exp.column("afters"), exp.column("found"), "spark"),
        low=value_at(exp.column("lows"), exp.column("found"), "spark"),
    )
    away = formula("CASE WHEN :finite THEN x - centre END", finite=finite(exp.column("x")))
    return exp.select(
        *(exp.column(name) for name in (*kept, "place")),
        exp.alias_(exp.cast(formula(_BIN, x=exp.column("x"), found=found, **_SPECIAL), "int"), "bin"),
        exp.alias_(away, "away"),
    ).from_(query.subquery("searched"))


def _lows(tiling: Tiling) -> exp.Select:
    """The lower edges of each feature's bins in order, and whether the edge itself is left out."""
    low = formula(
        "CASE WHEN kind = 'number' THEN COALESCE(low, CAST('-Infinity' AS DOUBLE)) ELSE CAST(bin AS DOUBLE) END"
    )
    parts = {"bin": exp.column("bin"), "low": low, "after": exp.column("after")}
    named = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in parts.items()]
    sorted_ = call("SORT_ARRAY", call("COLLECT_LIST", exp.Struct(expressions=named)))
    bins = (
        exp.select("places.place", exp.alias_(sorted_, "bins"), exp.alias_(formula("MAX(centre)"), "centre"))
        .from_(source(tiling.edges, "spark"))
        .join(places_of([each.name for each in tiling.features], "spark").subquery("places"), using="feature")
        .where(exp.column("edges_id").eq(tiling.edges_id), "bin >= 0")
        .group_by("places.place")
    )
    lists = [
        exp.alias_(each(exp.column("bins"), "b", exp.column(name, "b"), "spark"), as_)
        for name, as_ in (("low", "lows"), ("after", "afters"))
    ]
    return exp.select("place", *lists, "centre").from_(bins.subquery("bins"))


def branched(rows: exp.Select, values: Sequence[exp.Expr], tiling: Tiling) -> exp.Select:
    """For DuckDB, which works on whole columns: a branch for each edge, before the columns become rows.

    Args:
        rows: As for `searched`.
        values: As for `searched`.
        tiling: Its features, with their edges.

    Raises:
        InvalidRequestError: when a feature has not as many edges as bins.
    """
    kept = [name.alias_or_name for name in rows.selects]
    own = [f"x_{at}" for at, _ in enumerate(values)]
    wide = rows.select(*(exp.alias_(value, name) for name, value in zip(own, values, strict=True)), copy=False)
    bins, away = [], []
    for name, feature in zip(own, tiling.features, strict=True):
        x = exp.column(name)
        bins.append(_branches(x, feature))
        distance = formula(":x - :centre", x=x, centre=feature.centre)
        away.append(distance if feature.kind == NUMBER else exp.cast(exp.null(), "double"))
    cells = exp.select(
        *(exp.column(name) for name in kept),
        *exploded(bins, "place", "bin", "duckdb"),
        exp.alias_(call("UNNEST", exp.Array(expressions=away)), "away"),
    ).from_(wide.subquery("wide", copy=False), copy=False)
    finite_ = formula("CASE WHEN :finite THEN away END", finite=finite(exp.column("away")))
    answer = exp.select(*kept, "place", "bin", exp.alias_(finite_, "away"))
    return answer.from_(cells.subquery("cells", copy=False), copy=False)


def _branches(x: exp.Expr, feature: Feature) -> exp.Expr:
    missing = exp.Is(this=x.copy(), expression=exp.null())
    if feature.kind != NUMBER:
        return exp.Case(ifs=[exp.If(this=missing, true=integer(MISSING))], default=exp.cast(x.copy(), "int"))
    if len(feature.lows) != feature.bins - 1:
        raise InvalidRequestError(
            f"{feature.bins} bins have {len(feature.lows)} lower edges",
            where=f"feature {feature.name}",
            fix="features_of(the rows of the table of edges) has them",
        )
    last = feature.bins - 1

    def tree(low: int, high: int) -> exp.Expr:
        """The branches of the bins from one to another."""
        if low < high:
            middle = (low + high) // 2
            edge, after = feature.lows[middle]
            below = (exp.LTE if after else exp.LT)(this=x.copy(), expression=double(edge))
            return exp.Case(ifs=[exp.If(this=below, true=tree(low, middle))], default=tree(middle + 1, high))
        # What is no finite number ends up here, so that it is not asked of others: NULL is below no edge, and NaN is
        # above infinity.
        special = {}
        if high == last:
            special = {MISSING: missing, NOT_A_NUMBER: call("ISNAN", x.copy()), INFINITE: _is(x, math.inf)}
        if low == 0:
            special[INFINITE] = exp.or_(*filter(None, [special.get(INFINITE), _is(x, -math.inf)]))
        leaf = integer(low)
        ifs = [exp.If(this=condition, true=integer(code)) for code, condition in special.items()]
        return exp.Case(ifs=ifs, default=leaf) if ifs else leaf

    return tree(0, last)


def _is(x: exp.Expr, value: float) -> exp.Expr:
    return exp.EQ(this=x.copy(), expression=double(value))
