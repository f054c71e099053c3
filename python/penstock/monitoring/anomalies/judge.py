"""Whether the newest points of series are as usual: how far each is from the median of those before it."""

from __future__ import annotations

import math

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.monitoring.tails import norm_sf
from penstock.monitoring.words import extended, formula, inside, steps, totals, window

SERIES = ("what", "column_name", "season", "at", "measure", "value", "noise")
"""The columns of a relation of series."""
JUDGED = ("what", "column_name", "at", "found", "expected", "effect", "p", "past")
"""The columns of the answer."""
RELATIVE = ("volume", "freshness")  # their effect is a share of what is expected; of others it is the difference
_KEYS = ("what", "column_name", "at")
_NORMAL = 1.4826022185056018  # of a normal distribution's median absolute deviation to its standard deviation
# The estimate of the standard deviation is as certain as that of 37 of 100 values would be of which the root of the
# mean square is taken (Huber, Robust Statistics, 1981, 5.1).
_CERTAIN = 0.37


def judged(series: exp.Query, dialect: Dialect, *, past: int, min_past: int, last: int = 1) -> exp.Select:
    """The newest points of each series beside the points before them, with p-values.

    The centre c of up to `past` points before is their median, and their scale s = 1.4826 · k/(k - 0.8) · the median
    of their distances from it (Rousseeuw and Croux, J. Am. Stat. Assoc. 88, 1993), but no less than `noise`. So up to
    half of the past may be wrong itself. t = |value - c| / (s √(1 + π/2k)) is taken as Student's t of 0.37 (k - 1)
    degrees of freedom, and made a normal variable by Wallace's transformation (Ann. Math. Stat. 30, 1959). Of points
    that are independent and normal, at most a share of alpha has a p-value of alpha or less; the fewer points, the
    fewer.

    Args:
        series: A query of `SERIES`: `what` and `column_name`, '' for none, tell the series apart; a point is judged by
            those of its `season`; `measure` is what is shown, `value` the same on a scale on which its spread does not
            depend on it, NULL for a point that is none; `noise`, the spread below which no series is.
        dialect: Whose SQL it is.
        past: By how many points before it one is judged at most.
        min_past: By how many at least; with fewer a point is not in the answer.
        last: How many of the newest points of a series are judged.

    Returns:
        A query of `JUDGED`: `effect` is found / expected - 1 of `RELATIVE` series, found - expected of others.
    """
    newest = exp.Ordered(this=exp.column("at"), desc=True, nulls_first=False)
    placed = extended(
        "series",
        {
            "age": window("ROW_NUMBER()", ("what", "column_name", "season"), newest),
            "newness": window("ROW_NUMBER()", ("what", "column_name"), newest),
        },
    )
    pairs = (
        exp.select(
            *(f"n.{name}" for name in (*_KEYS, "measure", "value", "noise")),
            "p.value AS past_value",
            "CASE WHEN NOT p.value IS NULL THEN p.measure END AS past_measure",
        )
        .from_("placed AS n")
        .join(
            "placed AS p",
            on=exp.and_(
                "p.what = n.what AND p.column_name = n.column_name AND p.season = n.season AND p.age > n.age",
                formula("p.age <= n.age + :past", past=exp.Literal.number(past)),
            ),
        )
        .where(formula("n.newness <= :last", last=exp.Literal.number(last)), "NOT n.value IS NULL")
    )
    centred = extended("pairs", {"centre": window("MEDIAN(past_value)", _KEYS)})
    spread = totals(
        "centred",
        _KEYS,
        {
            **{name: f"MAX({name})" for name in ("measure", "value", "noise", "centre")},
            "past": "COUNT(past_value)",
            "expected": "CAST(MEDIAN(past_measure) AS DOUBLE)",
            "away": "CAST(MEDIAN(ABS(past_value - centre)) AS DOUBLE)",
        },
    ).having(formula("COUNT(past_value) >= :least", least=exp.Literal.number(min_past)))
    scale = formula("GREATEST(:normal * away * past / (past - 8e-1), noise)", normal=_NORMAL)
    scored = extended(
        "spread",
        {
            "freedom": formula("GREATEST(1e0, :certain * (past - 1))", certain=_CERTAIN),
            "t": formula("ABS(value - centre) / (:scale * SQRT(1e0 + :half / past))", scale=scale, half=math.pi / 2),
        },
    )
    normal = "SQRT(freedom * LN(1e0 + t * t / freedom)) * (8e0 * freedom + 1e0) / (8e0 * freedom + 3e0) AS z"
    answer = exp.select(
        "what",
        "NULLIF(column_name, '') AS column_name",
        "at",
        "measure AS found",
        "expected",
        exp.alias_(_effect(), "effect"),
        exp.alias_(formula("2e0 * :tail", tail=norm_sf(exp.column("z"), dialect)), "p"),
        "CAST(past AS BIGINT) AS past",
    ).from_(inside(exp.select("*", normal).from_("scored")))
    return steps(
        answer,
        {"series": series, "placed": placed, "pairs": pairs, "centred": centred, "spread": spread, "scored": scored},
    )


def _effect() -> exp.Expr:
    return formula(
        """
        CASE WHEN NOT what IN (:relative) THEN measure - expected
             WHEN expected > 0e0 THEN measure / expected - 1e0
             WHEN measure > 0e0 THEN CAST('Infinity' AS DOUBLE)
             ELSE 0e0 END
        """.replace(":relative", ", ".join(f"'{name}'" for name in RELATIVE))
    )
