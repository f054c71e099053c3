"""Read tables in an earlier state: Delta versions or timestamps, put into a finished query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlglot
from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError

AsOf = datetime | Mapping[str, int | datetime]


def read_as_of(sql: str, as_of: AsOf, dialect: str) -> str:
    """Let a query read its tables in an earlier state.

    Args:
        sql: A compiled query.
        as_of: One timestamp for all tables, or a Delta version or timestamp for each table by its name, with its schema
            or without.
        dialect: The dialect that it is in; only Spark reads Delta history in SQL.

    Raises:
        InvalidRequestError: for an engine that cannot.
        UnknownNameError: for a named table that the query does not read.

    Example:
        >>> print(read_as_of("SELECT a FROM s.t", {"t": 3}, "spark"))
        SELECT
          a
        FROM s.t VERSION AS OF 3
    """
    if dialect != "spark":
        raise InvalidRequestError(f"as_of is not known to {dialect}", fix="ask Spark")
    tree = sqlglot.parse_one(sql, dialect=dialect)
    tables = _tables(tree)
    if isinstance(as_of, Mapping):
        known = {name for table in tables for name in (table.name, _full_name(table))}
        for name in as_of.keys() - known:
            raise UnknownNameError.of("table", name, {table.name for table in tables}, where="as_of")
    for table in tables:
        moment = as_of.get(_full_name(table), as_of.get(table.name)) if isinstance(as_of, Mapping) else as_of
        if moment is not None:
            table.set("version", _version(moment))
    return tree.sql(dialect, pretty=True)


def pinned(sql: str, versions: Mapping[str, int | None]) -> str:
    """Spark's SQL with each of these tables that it names read in its version; those without one as they are.

    Where a query names both a table and its `table_changes`, Spark takes the one for the other, unless the table is
    read in a version.
    """
    read = set(tables_in(sql, "spark"))
    return read_as_of(sql, {name: v for name, v in versions.items() if v is not None and name in read}, "spark")


def tables_in(sql: str, dialect: str) -> tuple[str, ...]:
    """The tables and views that a query reads, by their full names, each once.

    Example:
        >>> tables_in("WITH c AS (SELECT a FROM s.t) SELECT * FROM c, s.u", "spark")
        ('s.t', 's.u')
    """
    found = _tables(sqlglot.parse_one(sql, dialect=dialect))
    return tuple(sorted({_full_name(table) for table in found}))


def _tables(tree: exp.Expr) -> list[exp.Table]:
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    named = [t for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]  # not range(9)
    return [table for table in named if table.db or table.name not in inner]


def _full_name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)


def _version(moment: int | datetime) -> exp.Version:
    if isinstance(moment, int):
        return exp.Version(this="VERSION", kind="AS OF", expression=exp.Literal.number(moment))
    return exp.Version(this="TIMESTAMP", kind="AS OF", expression=exp.Literal.string(moment.isoformat(" ")))
