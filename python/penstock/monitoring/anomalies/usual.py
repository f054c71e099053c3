"""The query of the data test `as_usual`: what of a table is not as usual, a row a finding, with p-value and effect."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from penstock.dialects import Dialect, call
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.anomalies.commits import newest_commit, series_of_commits
from penstock.monitoring.anomalies.judge import judged
from penstock.monitoring.anomalies.schema import Changed, changed_sql
from penstock.monitoring.anomalies.series import Buckets, moment, series_of_buckets
from penstock.monitoring.discovery import adjusted
from penstock.monitoring.words import column, formula, inside, known_dialect, named, source
from penstock.semantic.durations import parse_duration

VOLUME, NULLS, SCHEMA, FRESHNESS = CHECKS = ("volume", "nulls", "schema", "freshness")
MIN_CHANGE: Mapping[str, float] = {VOLUME: 0.2, NULLS: 0.01, FRESHNESS: 0.5}
"""Which effects matter, unless it is said otherwise."""
FINDINGS = ("what", "column_name", "at", "found", "expected", "effect", "p", "past", "told")
"""The columns of the answer."""
_MOST = 10_000  # points


@dataclass(frozen=True)
class Usual:
    """What is asked of a table.

    Attributes:
        checks: Some of `CHECKS`.
        buckets: By which buckets of a time column volume and NULLs are judged; by commits, if there are none.
        columns: The columns whose NULLs are judged.
        within: How old the newest row may be, or the newest commit where there are no buckets: `2 hours`; judged by the
            times between commits, if not given.
        past: By how many points before it one is judged at most, and `min_past` at least.
        last: How many of the newest points are judged.
        alpha: The (adjusted) p-value up to which a difference is no chance.
        min_change: Of each check the effect above which it matters.
    """

    checks: tuple[str, ...] = CHECKS
    buckets: Buckets | None = None
    columns: tuple[str, ...] = ()
    within: str | None = None
    past: int = 30
    min_past: int = 10
    last: int = 1
    alpha: float = 0.001
    min_change: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name in self.checks:
            if name not in CHECKS:
                raise UnknownNameError.of("check", str(name), CHECKS, where="checks")
        if not self.checks:
            raise InvalidRequestError("nothing is to be checked", where="checks", fix=f"some of {', '.join(CHECKS)}")
        for name, low, high in (("past", 3, _MOST), ("min_past", 3, self.past), ("last", 1, _MOST)):
            if not _is_whole(getattr(self, name)) or not low <= getattr(self, name) <= high:
                raise InvalidRequestError(
                    f"{name} is {getattr(self, name)!r}", where=name, fix=f"a whole number from {low} to {high}"
                )
        if not _is_number(self.alpha) or not 0 < self.alpha < 1:
            raise InvalidRequestError(f"alpha is {self.alpha!r}", where="alpha", fix="a number between 0 and 1")
        for name, value in (self.min_change or {}).items():
            if name not in MIN_CHANGE:
                raise UnknownNameError.of("check", str(name), MIN_CHANGE, where="min_change")
            if not _is_number(value) or value < 0:
                raise InvalidRequestError(f"{name} is {value!r}", where="min_change", fix="a number from 0 on")

    @property
    def needs_log(self) -> bool:
        """Whether the log of a Delta table is read."""
        by_commits = self.buckets is None and bool({VOLUME, NULLS, FRESHNESS} & set(self.checks))
        return by_commits or (FRESHNESS in self.checks and self.within is None)


def findings(
    relation: str | exp.Query,
    usual: Usual,
    dialect: Dialect,
    *,
    location: str | None = None,
    changed: Collection[Changed] = (),
) -> exp.Query:
    """What is not as usual.

    P-values of NULLs are adjusted for all columns of one time (Benjamini and Hochberg).

    Args:
        relation: The table as the dialect writes it, or a query.
        usual: What is asked.
        dialect: Whose SQL it is.
        location: Where the Delta table is, if its log is read.
        changed: The changes of its schema.

    Returns:
        A query of `FINDINGS`: `what` is one of `CHECKS`; `found` and `expected` are rows, shares of NULLs or seconds;
        `effect` is found / expected - 1, of NULLs found - expected, of a schema 1.

    Raises:
        UnknownNameError: The dialect is neither of the two.
        InvalidRequestError: The log is needed and there is none.
    """
    known_dialect(dialect)
    if usual.needs_log and (dialect != "spark" or location is None):
        raise InvalidRequestError(
            "it is no Delta table, whose log tells its past",
            where=str(relation),
            fix="name the column of times, and what can be checked by it: time: …, checks: [volume, nulls]",
        )
    parts = list(_judged(relation, usual, dialect, location))
    if FRESHNESS in usual.checks and usual.within is not None:
        parts.append(_late(relation, usual, usual.within, dialect, location))
    if SCHEMA in usual.checks:
        parts.append(_of_schema(changed))
    query = parts[0]
    for part in parts[1:]:
        query = exp.union(query, part, distinct=False)
    return query


def _judged(relation: str | exp.Query, usual: Usual, dialect: Dialect, location: str | None) -> list[exp.Query]:
    """The findings of volume, NULLs and learned freshness."""
    as_of = usual.buckets.as_of if usual.buckets else None
    columns = usual.columns if NULLS in usual.checks else ()
    sources: list[tuple[exp.Query, list[str]]] = []
    by_points = [name for name in (VOLUME, NULLS) if name in usual.checks]
    learned = [FRESHNESS] if FRESHNESS in usual.checks and usual.within is None else []
    if usual.buckets is not None and by_points:
        sources.append((series_of_buckets(relation, usual.buckets, columns, dialect), by_points))
        by_points = []
    if by_points or learned:
        assert location is not None
        sources.append((series_of_commits(location, columns, as_of=as_of), [*by_points, *learned]))
    return [_alarms(series, wanted, usual, dialect) for series, wanted in sources]


def _alarms(series: exp.Query, wanted: Sequence[str], usual: Usual, dialect: Dialect) -> exp.Query:
    of_these = exp.column("what").isin(*map(exp.Literal.string, wanted))
    only = exp.select("*").from_(series.subquery("series_of_all")).where(of_these)
    told = judged(only, dialect, past=usual.past, min_past=usual.min_past, last=usual.last)
    every = adjusted(told, dialect, p="p", by=("what", "at"))
    least = {**MIN_CHANGE, **(usual.min_change or {})}
    matters = exp.or_(*(
        exp.and_(
            formula("what = :name", name=exp.Literal.string(name)),
            # A table is not too fresh.
            formula("effect > :least" if name == FRESHNESS else "ABS(effect) > :least", least=float(least[name])),
        )
        for name in wanted
    ))  # fmt: skip
    return (
        exp.select(*FINDINGS[:6], "p_adjusted AS p", "past", "CAST(NULL AS TEXT) AS told")
        .from_(inside(every))
        .where(formula("p_adjusted <= :alpha", alpha=usual.alpha), matters)
    )


def _late(relation: str | exp.Query, usual: Usual, within: str, dialect: Dialect, location: str | None) -> exp.Query:
    """The finding that the newest row, or commit, is older than is declared; one without any is late, too."""
    most = parse_duration(within, where="within").microseconds / 1e6
    if usual.buckets is not None:
        time = exp.cast(column(usual.buckets.time), "timestamp")
        newest = exp.select(exp.alias_(formula("MAX(:time)", time=time), "newest")).from_(source(relation, dialect))
    else:
        assert location is not None
        newest = newest_commit(location)
    now = moment(usual.buckets.as_of if usual.buckets else None)
    age = exp.Sub(this=_seconds(now, dialect), expression=_seconds(exp.column("newest"), dialect))
    aged = exp.select(exp.alias_(now.copy(), "at"), exp.alias_(age, "found")).from_(inside(newest))
    told = named(
        {
            "what": exp.Literal.string(FRESHNESS),
            "column_name": exp.cast(exp.null(), "text"),
            "at": "at",
            "found": "found",
            "expected": formula(":most", most=most),
            "effect": formula("found / :most - 1e0", most=most),
            "p": "CAST(NULL AS DOUBLE)",
            "past": "CAST(NULL AS BIGINT)",
            "told": "CASE WHEN found IS NULL THEN 'no rows' END",
        }
    )
    return exp.select(*told).from_(inside(aged)).where(formula("found IS NULL OR found > :most", most=most))


def _seconds(time: exp.Expr, dialect: Dialect) -> exp.Expr:
    if dialect == "duckdb":
        return call("EPOCH", time)
    return formula("CAST(:micros AS DOUBLE) / 1e6", micros=call("UNIX_MICROS", time))


def _of_schema(changed: Collection[Changed]) -> exp.Query:
    told = named(
        {
            "what": exp.Literal.string(SCHEMA),
            "column_name": "column_name",
            "at": "CAST(NULL AS TIMESTAMP)",
            "found": "CAST(NULL AS DOUBLE)",
            "expected": "CAST(NULL AS DOUBLE)",
            "effect": "1e0",
            "p": "CAST(NULL AS DOUBLE)",
            "past": "CAST(NULL AS BIGINT)",
            "told": "told",
        }
    )
    return exp.select(*told).from_(inside(changed_sql(changed)))


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def _is_whole(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)
