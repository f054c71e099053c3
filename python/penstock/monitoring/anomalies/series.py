"""The series of a table's past: rows and NULLs, each as a number whose spread by chance is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlglot import exp

from penstock.dialects import Dialect, call
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.explode import exploded, value_at
from penstock.monitoring.drift.tiling import Bucket
from penstock.monitoring.words import column, formula, named, source, steps

Season = Literal["day", "week"]
_SEASONS = {
    ("hour", "day"): "HOUR(at)",
    ("hour", "week"): "DAYOFWEEK(at) * 24 + HOUR(at)",
    ("day", "week"): "DAYOFWEEK(at)",
}


@dataclass(frozen=True)
class Buckets:
    """The buckets of time by which a table is looked at.

    Attributes:
        time: The column of times. Rows without one count nowhere.
        bucket: How much time is in a bucket.
        season: What repeats: a bucket is then judged by those at the same place of it.
        as_of: When it is, as `2026-01-31 00:00:00`; the time of the query if not given. The bucket that has not ended
            by then is left out.
    """

    time: str
    bucket: Bucket = "day"
    season: Season | None = None
    as_of: str | None = None

    def __post_init__(self) -> None:
        if self.bucket not in get_args(Bucket):
            raise UnknownNameError.of("bucket", self.bucket, get_args(Bucket), where="bucket")
        if self.season is not None and self.season not in get_args(Season):
            raise UnknownNameError.of("season", self.season, get_args(Season), where="season")
        if self.season is not None and (self.bucket, self.season) not in _SEASONS:
            raise InvalidRequestError(
                f"a {self.bucket} has no place in a {self.season}",
                where="season",
                fix="season: week needs buckets of a day or an hour, season: day those of an hour",
            )


def series_of_buckets(
    relation: str | exp.Query, buckets: Buckets, columns: Sequence[str], dialect: Dialect
) -> exp.Select:
    """The rows of each bucket, and the NULLs of each column in it: one scan, one aggregation.

    Every bucket from the first row on that has ended is there; one without rows has a volume of 0 and no rate of NULLs.

    Args:
        relation: A query, or the name of a table as the dialect writes it.
        buckets: How time is cut.
        columns: The columns whose NULLs are counted.
        dialect: Whose SQL it is.

    Returns:
        A query of `judge.SERIES`; `what` is `volume` or `nulls`.
    """
    unit = exp.Literal.string(buckets.bucket.upper())
    time = exp.cast(column(buckets.time), "timestamp")
    ended = call("DATE_TRUNC", unit, moment(buckets.as_of))
    counts = {"rows_in": formula("COUNT(*)")}
    counts |= {
        f"nulls_{at}": formula("COUNT(*) - COUNT(:given)", given=column(name)) for at, name in enumerate(columns)
    }
    counted = (
        exp.select(exp.alias_(call("DATE_TRUNC", unit, time), "at"), *named(counts))
        .from_(source(relation, dialect))
        .where(formula(":time < :ended", time=time, ended=ended))  # not true of NULL
        .group_by("1")
    )
    step = exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this=buckets.bucket.upper()))
    last = exp.Sub(this=ended.copy(), expression=step)
    span = exp.GenerateSeries(start=exp.column("first_at"), end=last, step=step.copy())
    listed = call("EXPLODE" if dialect == "spark" else "UNNEST", span)
    calendar = exp.select(exp.alias_(listed, "at")).from_("(SELECT MIN(at) AS first_at FROM counted) AS span")
    own = [*counts]
    filled = (
        exp.select("c.at", *(f"COALESCE(r.{name}, 0) AS {name}" for name in own))
        .from_("calendar AS c")
        .join("counted AS r", on="r.at = c.at", join_type="left")
    )
    season = _SEASONS.get((buckets.bucket, buckets.season or ""), "0")
    places = exploded([exp.Literal.number(0), *(exp.column(name) for name in own[1:])], "place", "nulls_in", dialect)
    long = exp.select("at", f"{season} AS season", "rows_in", *places).from_("filled")
    names = exp.Array(expressions=[exp.Literal.string(name) for name in ("", *columns)])
    told = exp.select("*", exp.alias_(value_at(names, exp.column("place"), dialect), "column_name")).from_("long")
    return steps(
        points("told", is_volume="place = 0"),
        {"counted": counted, "calendar": calendar, "filled": filled, "long": long, "told": told},
    )


def points(relation: str, *, is_volume: str) -> exp.Select:
    """Counts as points of series: of each row of a step the volume, or the NULLs of a column.

    Rows are taken to 2√(n + 3/8), which has a spread of 1 where rows come by chance (Anscombe, Biometrika 35, 1948),
    and shares to 2 arcsin √((x + 3/8) / (n + 3/4)), which has one of 1/√n.

    Args:
        relation: A step with `column_name`, `season`, `at`, `rows_in` and `nulls_in`.
        is_volume: Which of its rows are volumes.
    """
    return exp.select(
        f"CASE WHEN {is_volume} THEN 'volume' ELSE 'nulls' END AS what",
        "column_name",
        "season",
        "at",
        *named(
            {
                "measure": f"""CASE WHEN {is_volume} THEN CAST(rows_in AS DOUBLE)
                    ELSE CAST(nulls_in AS DOUBLE) / NULLIF(CAST(rows_in AS DOUBLE), 0e0) END""",
                "value": f"""CASE WHEN {is_volume} THEN 2e0 * SQRT(rows_in + 375e-3)
                    WHEN rows_in > 0 THEN 2e0 * ASIN(SQRT((nulls_in + 375e-3) / (rows_in + 75e-2))) END""",
                "noise": f"""CASE WHEN {is_volume} THEN 1e0
                    ELSE 1e0 / SQRT(CAST(GREATEST(rows_in, 1) AS DOUBLE)) END""",
            }
        ),
    ).from_(relation)


def moment(as_of: str | None) -> exp.Expr:
    """A time as SQL; that of the query if it is not given."""
    given = exp.CurrentTimestamp() if as_of is None else exp.Literal.string(as_of)
    return exp.cast(given, "timestamp")
