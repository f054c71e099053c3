"""Where a report's numbers come from, and what stands where there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from penstock.dialects import Dialect
from penstock.monitoring.words import column, source

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Engine:
    """What runs a report's queries, each table in the state in which the report reads it.

    Attributes:
        ask: Runs a query. What it answers is bounded by what is drawn, however many rows are read.
        has: Whether there is a relation.
        dialect: Whose SQL it takes.
        at_once: How many queries it takes at once.
    """

    ask: Callable[[exp.Query], pa.Table]
    has: Callable[[str], bool]
    dialect: Dialect
    at_once: int = 1

    def rows(self, query: exp.Query) -> list[dict[str, Any]]:
        """The rows of an answer."""
        rows: list[dict[str, Any]] = self.ask(query).to_pylist()
        return rows

    def columns(self, relation: str) -> list[str]:
        """The names of a relation's columns."""
        names: list[str] = self.ask(self.all_of(relation).limit(0)).column_names
        return names

    def all_of(self, relation: str) -> exp.Select:
        """The query of all rows of a relation."""
        return exp.select("*").from_(source(relation, self.dialect))

    def of_version(self, relation: str, version: int | None) -> exp.Select:
        """The query of the rows of a version, or of all where none is named."""
        rows = self.all_of(relation)
        return rows if version is None else rows.where(exp.column("version").eq(version))


@dataclass(frozen=True)
class Missing:
    """Stands in a report where there is nothing to show.

    Attributes:
        what: What is missing.
        fix: How to get it: words, or lines of YAML or of a shell.
    """

    what: str
    fix: str = ""


def at_or(time: str | exp.Expr, than: datetime, *, after: bool) -> exp.Expr:
    """Whether a time is at an instant or later, or before it."""
    given = column(time) if isinstance(time, str) else time
    instant = exp.cast(exp.Literal.string(than.isoformat(sep=" ")), "timestamp")
    return (exp.GTE if after else exp.LT)(this=given.copy(), expression=instant)


def among(name: str, values: Iterable[str]) -> exp.Expr:
    """Whether a column is one of these texts."""
    return exp.column(name).isin(*map(exp.Literal.string, values))


def moved(at: datetime, bucket: str, count: int) -> datetime:
    """The beginning of a bucket so many buckets later, or earlier.

    Example:
        >>> moved(datetime(2026, 1, 1), "month", -2)
        datetime.datetime(2025, 11, 1, 0, 0)
    """
    if bucket != "month":
        return at + count * timedelta(**{f"{bucket}s": 1})
    months = at.year * 12 + at.month - 1 + count
    return at.replace(year=months // 12, month=months % 12 + 1)
