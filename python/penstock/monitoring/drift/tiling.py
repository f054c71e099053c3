"""Tiles: how many rows of each bucket of time fell into each bin of each feature, and the moments of those rows.

Tiles of one set of edges add up: over buckets to any window of time, over segments, and with those of rows that came
later. They are a group, so that rows that were changed or deleted are taken away again (`tile_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.bin_edges import INFINITE, MISSING, NOT_A_NUMBER
from penstock.monitoring.drift.explode import NUMBER, Kind, exploded, finite, integer, places_of, value_at
from penstock.monitoring.words import column, each, formula, known_dialect, source
from penstock.scoring.linear.engines_sql import Dialect, call, words

Bucket = Literal["hour", "day", "week", "month"]
ALL = "all"  # the segment that each row is in

MOMENTS = ("n", "total", "squares")
"""The columns of a tile that add up."""


@dataclass(frozen=True)
class Feature:
    """A feature as its edges have it.

    Attributes:
        name: The column.
        kind: `number` or `text`.
        bins: How many bins from 0 on it has.
        levels: The values of a text that have bins, 1, 2, … in this order.
    """

    name: str
    kind: Kind
    bins: int = 1
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tiling:
    """Which tiles are asked for.

    Attributes:
        edges: The table of edges, as the dialect writes it, or a query.
        edges_id: Which edges of that table.
        features: The features of those edges.
        time: The column of times. Rows without one are in no tile. Without this column the bucket is NULL.
        bucket: How much time is in a bucket.
        version: The column of the version of a model, if rows have one.
        segments: Columns of few different values, by each of which the rows are counted besides.
    """

    edges: str | exp.Query
    edges_id: str
    features: tuple[Feature, ...]
    time: str | None = None
    bucket: Bucket = "day"
    version: str | None = None
    segments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.bucket not in get_args(Bucket):
            raise UnknownNameError.of("bucket", self.bucket, get_args(Bucket), where="tiles")
        if not self.features:
            raise InvalidRequestError("there is no feature with edges", where="tiles", fix="build the edges first")
        known: set[str] = {ALL}
        for name in self.segments:
            if name.lower() in known:
                raise InvalidRequestError(
                    f"the segment '{name}' is named twice, or as the segment of all rows",
                    where="segments",
                    fix="name the column otherwise in a query",
                )
            known.add(name.lower())


def tiles(relation: str | exp.Query, tiling: Tiling, dialect: Dialect, *, sign: str | None = None) -> exp.Select:
    """The query of the tiles of a relation's rows: one scan and one aggregation, however many features there are.

    The columns are `edges_id`, `bucket` (its beginning), `version` where there is one, `segment` and `value` (of each
    segment the values of its column, as text; 'all' and NULL of all rows), `feature`, `bin`, and of the rows in it `n`,
    and `total` and `squares`, the sums of x - c and of (x - c)² from the centre c of the feature's edges; both are 0 of
    what is no finite number. There is a tile where there are rows.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        tiling: Which tiles.
        dialect: Whose SQL it is.
        sign: A column of 1 for rows that are added and -1 for rows that are taken away; all are added without it. Tiles
            to which nothing is added in the end are left out.

    Raises:
        UnknownNameError: The dialect is neither of the two.
    """
    known_dialect(dialect)
    keys = [exp.column(key) for key in keys_of(tiling)]
    sums = [exp.alias_(formula(text), name) for name, text in _MERGED.items()]
    answer = (
        exp.select(exp.alias_(exp.Literal.string(tiling.edges_id), "edges_id"), *keys, *sums)
        .with_("lows", _lows(tiling, dialect))
        .with_("cells", _cells(relation, tiling, sign, dialect))
        .with_("counted", _counted(_searched(tiling, sign, dialect), tiling, sign, dialect))
        .with_("by_segment", _by_segment(tiling, sign, dialect))
        .from_("by_segment")
        .group_by(*keys)
    )
    return answer.having(formula(_CHANGED)) if sign is not None else answer


def keys_of(tiling: Tiling) -> tuple[str, ...]:
    """The columns that tell tiles of the same edges apart."""
    return ("bucket", *(("version",) if tiling.version else ()), "segment", "value", "feature", "bin")


_MERGED = {"n": "CAST(SUM(n) AS BIGINT)", "total": "SUM(total)", "squares": "SUM(squares)"}
# What is added and taken away again may leave a rest, for it is added in any order.
_CHANGED = "SUM(n) <> 0 OR ABS(SUM(total)) > 1e-12 * SUM(size) OR ABS(SUM(squares)) > 1e-12 * SUM(power)"


def _lows(tiling: Tiling, dialect: Dialect) -> exp.Select:
    """The lower edges of each feature's bins in order, and whether the edge itself is left out."""
    low = formula(
        "CASE WHEN kind = 'number' THEN COALESCE(low, CAST('-Infinity' AS DOUBLE)) ELSE CAST(bin AS DOUBLE) END"
    )
    parts = {"bin": exp.column("bin"), "low": low, "after": exp.column("after")}
    named = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in parts.items()]
    collect, sort = ("COLLECT_LIST", "SORT_ARRAY") if dialect == "spark" else ("LIST", "LIST_SORT")
    sorted_ = call(sort, call(collect, exp.Struct(expressions=named)))
    bins = (
        exp.select("places.place", exp.alias_(sorted_, "bins"), exp.alias_(formula("MAX(centre)"), "centre"))
        .from_(source(tiling.edges, dialect))
        .join(places_of([each.name for each in tiling.features], dialect).subquery("places"), using="feature")
        .where(exp.column("edges_id").eq(tiling.edges_id), "bin >= 0")
        .group_by("places.place")
    )
    lists = [
        exp.alias_(each(exp.column("bins"), "b", exp.column(name, "b"), dialect), as_)
        for name, as_ in (("low", "lows"), ("after", "afters"))
    ]
    return exp.select("place", *lists, "centre").from_(bins.subquery("bins"))


def _cells(relation: str | exp.Query, tiling: Tiling, sign: str | None, dialect: Dialect) -> exp.Select:
    """Each row once for each feature, whose value is a number, or of a text that of its bin."""
    time = column(tiling.time) if tiling.time is not None else None
    bucket: exp.Expr = exp.cast(exp.null(), "timestamp")
    if time is not None:
        bucket = call("DATE_TRUNC", exp.Literal.string(tiling.bucket.upper()), exp.cast(time, "timestamp"))
    told = {
        "bucket": bucket,
        **({"version": column(tiling.version)} if tiling.version else {}),
        **{own: exp.cast(column(name), "text") for own, name in zip(_segments(tiling), tiling.segments, strict=True)},
        **({"sign": column(sign)} if sign is not None else {}),
    }
    values = [_value(feature, dialect) for feature in tiling.features]
    query = exp.select(
        *(exp.alias_(value, name) for name, value in told.items()), *exploded(values, "place", "x", dialect)
    ).from_(source(relation, dialect))
    return query if time is None else query.where(exp.not_(exp.Is(this=time, expression=exp.null())))


def _value(feature: Feature, dialect: Dialect) -> exp.Expr:
    if feature.kind == NUMBER:
        return exp.cast(column(feature.name), "double")
    text = exp.cast(column(feature.name), "text")
    codes: dict[str | float, float] = {level: float(at) for at, level in enumerate(feature.levels, 1)}
    found = words(dialect).lookup(text, codes)
    return formula("CASE WHEN NOT :own IS NULL THEN COALESCE(:found, 0e0) END", own=text, found=found)


def _searched(tiling: Tiling, sign: str | None, dialect: Dialect) -> exp.Select:
    """The cells with the place of the last lower edge that is not above the value, by halves.

    The edges are data and not code: a branch for each would be more code than the JVM compiles.
    """
    kept = [*keys_of(tiling)[:-4], *_segments(tiling), *(["sign"] if sign is not None else [])]
    carried = [exp.column(name) for name in (*kept, "place", "x", "lows", "afters", "centre")]
    query = exp.select(*(exp.column(name, "cells") for name in (*kept, "place", "x")), "lows", "afters", "centre")
    query = query.select(exp.alias_(exp.Literal.number(0), "found"))
    query = query.from_("cells").join("lows", on="cells.place = lows.place")
    if dialect == "spark":
        query = query.hint("BROADCAST(lows)", dialect="spark")
    step = 1 << (max(feature.bins for feature in tiling.features) - 1).bit_length()
    while step > 1:
        step //= 2
        there = formula("found + :step", step=exp.Literal.number(step))
        further = formula(
            "found + CASE WHEN x >= :low THEN :step ELSE 0 END",
            low=value_at(exp.column("lows"), there, dialect), step=exp.Literal.number(step),
        )  # fmt: skip
        query = exp.select(*carried, exp.alias_(further, "found")).from_(query.subquery("halved"))
    return query


def _counted(searched: exp.Select, tiling: Tiling, sign: str | None, dialect: Dialect) -> exp.Select:
    """The tiles by all segments at once, so that each cell is counted once."""
    found = exp.column("found")
    code = formula(
        """
        CASE WHEN x IS NULL THEN :missing
             WHEN ISNAN(x) THEN :not_a_number
             WHEN ABS(x) = CAST('Infinity' AS DOUBLE) THEN :infinite
             WHEN :after AND x = :low THEN found - 1
             ELSE found END
        """,
        missing=integer(MISSING), not_a_number=integer(NOT_A_NUMBER), infinite=integer(INFINITE),
        after=value_at(exp.column("afters"), found, dialect), low=value_at(exp.column("lows"), found, dialect),
    )  # fmt: skip
    keys = [exp.column(name) for name in (*keys_of(tiling)[:-4], *_segments(tiling), "place", "bin")]
    away = formula("CASE WHEN :finite THEN x - centre END", finite=finite(exp.column("x")))
    signs = [exp.column("sign")] if sign is not None else []
    binned = exp.select(*keys[:-1], exp.alias_(exp.cast(code, "int"), "bin"), exp.alias_(away, "away"), *signs)
    sums = {"n": "COUNT(*)", "total": "COALESCE(SUM(away), 0e0)", "squares": "COALESCE(SUM(away * away), 0e0)"}
    if sign is not None:
        sums = {
            "n": "SUM(sign)",
            "total": "COALESCE(SUM(sign * away), 0e0)",
            "squares": "COALESCE(SUM(sign * away * away), 0e0)",
            "size": "COALESCE(SUM(ABS(away)), 0e0)",
            "power": "COALESCE(SUM(away * away), 0e0)",
        }
    aggregates = [exp.alias_(formula(text), name) for name, text in sums.items()]
    return (
        exp.select(*keys, *aggregates)
        .from_(binned.from_(searched.subquery("searched")).subquery("binned"))
        .group_by(*keys)
    )


def _by_segment(tiling: Tiling, sign: str | None, dialect: Dialect) -> exp.Select:
    """Each of those tiles once in the segment of all, and once in each other one."""
    segments = [exp.Literal.string(name) for name in (ALL, *tiling.segments)]
    own = [*keys_of(tiling)[:-4], *_segments(tiling), "place", "bin", *MOMENTS]
    own += ["size", "power"] if sign is not None else []
    tiled = exp.select(*(exp.column(name) for name in own), *exploded(segments, "which", "segment", dialect))
    values = exp.Array(expressions=[exp.cast(exp.null(), "text"), *map(exp.column, _segments(tiling))])
    names = exp.Array(expressions=[exp.Literal.string(feature.name) for feature in tiling.features])
    return exp.select(
        "*",
        exp.alias_(value_at(values, exp.column("which"), dialect), "value"),
        exp.alias_(value_at(names, exp.column("place"), dialect), "feature"),
    ).from_(tiled.from_("counted").subquery("tiled"))


def _segments(tiling: Tiling) -> list[str]:
    return [f"segment_{at}" for at, _ in enumerate(tiling.segments)]
