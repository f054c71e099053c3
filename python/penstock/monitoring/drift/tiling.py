"""Tiles: how many rows of each bucket of time fell into each bin of each feature, and the moments of those rows.

Tiles of one set of edges add up: over buckets to any window of time, over segments, and with those of rows that came
later. They are a group, so that rows that were changed or deleted are taken away again (`tile_changes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, get_args

from sqlglot import exp

from penstock.dialects import Dialect, call, words
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.bins import branched, searched
from penstock.monitoring.drift.explode import NUMBER, Kind, exploded, value_at
from penstock.monitoring.words import column, formula, known_dialect, source

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
        lows: Where the bins 1, 2, … of a number begin, and whether that edge itself is left out. Spark finds them in
            the table of edges.
        centre: From which its moments are taken; likewise.
    """

    name: str
    kind: Kind
    bins: int = 1
    levels: tuple[str, ...] = ()
    lows: tuple[tuple[float, bool], ...] = ()
    centre: float = 0.0


def features_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Feature, ...]:
    """The features of a table of edges.

    Args:
        rows: Those of bins from 0 on, by feature and in order of the bins: `feature`, `kind`, `low`, `after`, `level`,
            `centre`.
    """
    features = []
    for (name, kind), found in groupby(rows, key=lambda row: (row["feature"], row["kind"])):
        bins = list(found)
        levels = tuple(row["level"] for row in bins if row["level"] is not None)
        lows = tuple((float(row["low"]), bool(row["after"])) for row in bins[1:] if row["low"] is not None)
        features.append(Feature(name, kind, len(bins), levels, lows, float(bins[0]["centre"] or 0)))
    return tuple(features)


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
        .from_("by_segment")
        .group_by(*keys)
    )
    if sign is not None:
        answer = answer.having(formula(_CHANGED))
    # Without copies, for thousands of features make it long.
    answer.with_("binned", _binned(relation, tiling, sign, dialect), copy=False)
    answer.with_("counted", _counted(tiling, sign), copy=False)
    return answer.with_("by_segment", _by_segment(tiling, sign, dialect), copy=False)


def keys_of(tiling: Tiling) -> tuple[str, ...]:
    """The columns that tell tiles of the same edges apart."""
    return ("bucket", *(("version",) if tiling.version else ()), "segment", "value", "feature", "bin")


_MERGED = {"n": "CAST(SUM(n) AS BIGINT)", "total": "SUM(total)", "squares": "SUM(squares)"}
# What is added and taken away again may leave a rest, for it is added in any order.
_CHANGED = "SUM(n) <> 0 OR ABS(SUM(total)) > 1e-12 * SUM(size) OR ABS(SUM(squares)) > 1e-12 * SUM(power)"


def _binned(relation: str | exp.Query, tiling: Tiling, sign: str | None, dialect: Dialect) -> exp.Select:
    """Each row once for each feature: the `bin` of its value, and how far `away` from the centre it is."""
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
    rows = exp.select(*(exp.alias_(value, name) for name, value in told.items())).from_(source(relation, dialect))
    if time is not None:
        rows = rows.where(exp.not_(exp.Is(this=time, expression=exp.null())))
    values = [_value(feature, dialect) for feature in tiling.features]
    return searched(rows, values, tiling) if dialect == "spark" else branched(rows, values, tiling)


def _value(feature: Feature, dialect: Dialect) -> exp.Expr:
    """A value as a number; of a text that of its bin."""
    if feature.kind == NUMBER:
        return exp.cast(column(feature.name), "double")
    text = exp.cast(column(feature.name), "text")
    if dialect == "spark":
        codes: dict[str | float, float] = {level: float(at) for at, level in enumerate(feature.levels, 1)}
        found = words(dialect).lookup(text, codes)
    else:  # a list is looked through at a tenth of what a map takes there
        levels = exp.Array(expressions=[exp.Literal.string(level) for level in feature.levels])
        found = exp.cast(call("LIST_POSITION", exp.cast(levels, "text[]", dialect="duckdb"), text), "double")
    return formula("CASE WHEN NOT :own IS NULL THEN COALESCE(:found, 0e0) END", own=text, found=found)


def _counted(tiling: Tiling, sign: str | None) -> exp.Select:
    """The tiles by all segments at once, so that each cell is counted once."""
    keys = [exp.column(name) for name in (*keys_of(tiling)[:-4], *_segments(tiling), "place", "bin")]
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
    return exp.select(*keys, *aggregates).from_("binned").group_by(*keys)


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
