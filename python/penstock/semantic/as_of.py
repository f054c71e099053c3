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
        as_of: One timestamp for all tables, or a Delta version or timestamp for each table by its name.
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
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = [table for table in tree.find_all(exp.Table) if table.db or table.name not in inner]
    if isinstance(as_of, Mapping):
        for name in as_of.keys() - {table.name for table in tables}:
            raise UnknownNameError.of("table", name, {table.name for table in tables}, where="as_of")
    for table in tables:
        moment = as_of.get(table.name) if isinstance(as_of, Mapping) else as_of
        if moment is not None:
            table.set("version", _version(moment))
    return tree.sql(dialect, pretty=True)


def _version(moment: int | datetime) -> exp.Version:
    if isinstance(moment, int):
        return exp.Version(this="VERSION", kind="AS OF", expression=exp.Literal.number(moment))
    return exp.Version(this="TIMESTAMP", kind="AS OF", expression=exp.Literal.string(moment.isoformat(" ")))
