"""Windows of tiles: their histograms beside those of a baseline, and their means and variances.

A window is whole buckets: those that begin at its start or later and before its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.distances import Histograms
from penstock.monitoring.drift.explode import exploded, integer
from penstock.monitoring.drift.tiling import Bucket
from penstock.monitoring.words import column, formula, known_dialect, source

SERIES = ("segment", "value", "feature")
"""The columns that tell one feature's tiles apart from another's, besides the bins and the version."""
_MOST = 1_000  # buckets in a window that moves


@dataclass(frozen=True)
class Window:
    """Tiles of one set of edges, of some time.

    Attributes:
        tiles: A query of tiles, or the name of a table as the dialect writes it.
        edges_id: Which edges they are of.
        start: Of the first bucket that counts; from the first one on, if not given.
        end: The start of the first bucket that does not count any more; up to the last one, if not given.
    """

    tiles: str | exp.Query
    edges_id: str
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise InvalidRequestError(
                f"the window ends at {self.end}, which is not after its start", where="window", fix="end is after start"
            )


def compared(
    edges: str | exp.Query, reference: Window, current: Window, dialect: Dialect, *, keys: Sequence[str] = SERIES
) -> Histograms:
    """Two windows as pairs of histograms, for `drift`.

    A key of either window is in the answer: where the other has no rows, its counts are 0 and the statistics NULL.

    Args:
        edges: The table of edges, or a query.
        reference: Such as the tiles of a training set.
        current: What is compared with it.
        dialect: Whose SQL it is.
        keys: The columns of a key; with `version`, each version is compared with its own reference.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: There is no `feature` among the keys.
    """
    known_dialect(dialect)
    sides = (_side(reference, keys, "n", "m", dialect), _side(current, keys, "m", "n", dialect))
    return _placed(edges, exp.union(*sides, distinct=False), current.edges_id, keys, dialect)


def moving(
    edges: str | exp.Query,
    reference: Window,
    current: Window,
    dialect: Dialect,
    *,
    size: int,
    bucket: Bucket = "day",
    keys: Sequence[str] = SERIES,
) -> Histograms:
    """The windows of `size` buckets that end with each bucket, beside one reference: `window_end` is among the keys.

    Windows of keys that have no rows in them are not in the answer.

    Args:
        edges: The table of edges, or a query.
        reference: What each window is compared with.
        current: The tiles whose windows are compared.
        dialect: Whose SQL it is.
        size: How many buckets are in a window.
        bucket: How much time is in a bucket.
        keys: The other columns of a key.

    Raises:
        UnknownNameError: The dialect is neither of the two, or there is no such bucket.
        InvalidRequestError: A window has no bucket, or very many.
    """
    known_dialect(dialect)
    if bucket not in get_args(Bucket):
        raise UnknownNameError.of("bucket", bucket, get_args(Bucket), where="window")
    if not 1 <= size <= _MOST:
        raise InvalidRequestError(f"{size} buckets in a window", where="window", fix=f"from 1 to {_MOST}")
    ends = ("window_end", *keys)
    side = _windows(current, keys, size, bucket, dialect)
    own = [name for name in keys if name != "feature"]
    present = exp.select("window_end", *map(column, own)).distinct().from_("current_side")
    # A value of a segment may be NULL.
    same = exp.and_(*(exp.NullSafeEQ(this=_of(name, "r"), expression=_of(name, "present")) for name in own))
    again = (
        exp.select(exp.column("window_end", "present"), *(_of(name, "r") for name in keys), "r.bin", "r.n", "r.m")
        .from_(_side(reference, keys, "n", "m", dialect).subquery("r"))
        .join(present.subquery("present"), on=same)
    )
    both = exp.union(again, exp.select("*").from_("current_side"), distinct=False).with_("current_side", side)
    return _placed(edges, both, current.edges_id, ends, dialect)


def moments(edges: str | exp.Query, window: Window, dialect: Dialect, *, keys: Sequence[str] = SERIES) -> exp.Select:
    """How many finite numbers each feature has in a window, their mean and their variance (of n - 1).

    Args:
        edges: The table of edges, or a query.
        window: The tiles.
        dialect: Whose SQL it is.
        keys: The columns of a key, `feature` among them.

    Returns:
        A query of the keys, `n` BIGINT, `mean` and `variance` DOUBLE: NULL where there are none, or only one. Features
        that are texts are not in it.
    """
    known_dialect(dialect)
    _check(keys)
    centres = (
        exp.select("feature", exp.alias_(formula("MAX(centre)"), "centre"))
        .from_(source(edges, dialect))
        .where(exp.column("edges_id").eq(window.edges_id), exp.column("kind").eq("number"))
        .group_by("feature")
    )
    own = [_of(name, "t") for name in keys]
    finite = "SUM(CASE WHEN t.bin >= 0 THEN t.n ELSE 0 END)"
    summed = (
        exp.select(*own, "c.centre", exp.alias_(formula(finite), "n"))
        .select(*(exp.alias_(formula(f"SUM(t.{name})"), name) for name in ("total", "squares")))
        .from_(within(window, dialect).subquery("t"))
        .join(centres.subquery("c"), on="t.feature = c.feature")
        .group_by(*own, "c.centre")
    )
    n = "CAST(NULLIF(n, 0) AS DOUBLE)"
    # Not below 0, as rounding may make it.
    variance = f"GREATEST(0e0, squares - total * total / {n}) / NULLIF(CAST(n AS DOUBLE) - 1e0, 0e0)"
    return exp.select(
        *map(column, keys),
        exp.alias_(formula("CAST(n AS BIGINT)"), "n"),
        exp.alias_(formula(f"centre + total / {n}"), "mean"),
        exp.alias_(formula(f"CASE WHEN n > 1 THEN {variance} END"), "variance"),
    ).from_(summed.subquery("summed"))


def within(window: Window, dialect: Dialect) -> exp.Select:
    """The tiles of a window."""
    query = exp.select("*").from_(source(window.tiles, dialect)).where(exp.column("edges_id").eq(window.edges_id))
    for comparison, time in ((exp.GTE, window.start), (exp.LT, window.end)):
        if time is not None:
            literal = exp.cast(exp.Literal.string(time.isoformat(sep=" ")), "timestamp")
            query = query.where(comparison(this=exp.column("bucket"), expression=literal))
    return query


def _side(window: Window, keys: Sequence[str], count: str, other: str, dialect: Dialect) -> exp.Select:
    """Counts of one side a key and bin, and 0 for the other side's, always `n` before `m`."""
    own = [*map(column, keys), exp.column("bin")]
    sums = {count: formula("CAST(SUM(n) AS BIGINT)"), other: formula("CAST(0 AS BIGINT)")}
    return (
        exp.select(*own, *(exp.alias_(sums[name], name) for name in ("n", "m")))
        .from_(within(window, dialect).subquery("tiles"))
        .group_by(*own)
    )


def _windows(window: Window, keys: Sequence[str], size: int, bucket: Bucket, dialect: Dialect) -> exp.Select:
    """The counts of each window: each tile is in as many of them as a window has buckets."""
    unit = exp.Interval(this=exp.Literal.string("1"), unit=exp.var(bucket.upper()))
    each = exp.select("*", *exploded([integer(at) for at in range(1, size + 1)], "turn", "buckets", dialect))
    each = each.from_(within(window, dialect).subquery("tiles"))
    end = formula("bucket + buckets * :unit", unit=unit)
    last = exp.select(formula("MAX(bucket) + :unit", unit=unit)).from_(within(window, dialect).subquery("tiles"))
    moved = exp.select("*", exp.alias_(end, "window_end")).from_(each.subquery("each"))
    own = [exp.column("window_end"), *map(column, keys), exp.column("bin")]
    return (
        exp.select(*own, exp.alias_(formula("CAST(0 AS BIGINT)"), "n"))
        .select(exp.alias_(formula("CAST(SUM(n) AS BIGINT)"), "m"))
        .from_(moved.subquery("moved"))
        .where(exp.LTE(this=exp.column("window_end"), expression=last.subquery()))
        .group_by(*own)
    )


def _placed(
    edges: str | exp.Query, sides: exp.Query, edges_id: str, keys: Sequence[str], dialect: Dialect
) -> Histograms:
    """Both sides of a bin in one row, with the place of the bin."""
    _check(keys)
    own = [*map(column, keys), exp.column("bin")]
    pairs = (
        exp.select(*own, *(exp.alias_(formula(f"SUM({name})"), name) for name in ("n", "m")))
        .from_(sides.subquery("sides"))
        .group_by(*own)
    )
    places = (
        exp.select("feature", "bin", "position", "width")
        .from_(source(edges, dialect))
        .where(exp.column("edges_id").eq(edges_id))
    )
    placed = (
        exp.select(*(_of(name, "pairs") for name in keys), "pairs.bin", "pairs.n", "pairs.m")
        .select("places.position", "places.width")
        .from_(pairs.subquery("pairs"))
        .join(places.subquery("places"), on="pairs.feature = places.feature AND pairs.bin = places.bin")
    )
    return Histograms(placed, tuple(keys), width="width")


def _of(name: str, table: str) -> exp.Expr:
    return exp.column(name, table=table, quoted=True)


def _check(keys: Sequence[str]) -> None:
    if "feature" not in keys:
        raise InvalidRequestError(
            "bins are those of a feature, and there is no feature among the keys", where="keys", fix="add 'feature'"
        )
