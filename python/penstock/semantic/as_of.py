"""Read tables in an earlier state: Delta versions or timestamps as a pass over the finished tree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError

AsOf = datetime | Mapping[str, int | datetime]


def read_as_of(tree: exp.Expr, as_of: AsOf, dialect: str) -> exp.Expr:
    """Let table references in `tree` read an earlier state.

    Args:
        tree: A finished query.
        as_of: One timestamp for all tables, or a Delta version or timestamp for each table by its name.
        dialect: The dialect that the tree is for; only Spark reads Delta history in SQL.

    Raises:
        InvalidRequestError: for an engine that cannot.
        UnknownNameError: for a named table that the query does not read.

    Example:
        >>> import sqlglot
        >>> read_as_of(sqlglot.parse_one("SELECT a FROM s.t"), {"t": 3}, "spark").sql("spark")
        'SELECT a FROM s.t VERSION AS OF 3'
    """
    if dialect != "spark":
        raise InvalidRequestError(f"as_of is not known to {dialect}", fix="ask Spark")
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = [table for table in tree.find_all(exp.Table) if table.db or table.name not in inner]
    if isinstance(as_of, Mapping):
        for name in as_of.keys() - {table.name for table in tables}:
            raise UnknownNameError.of("table", name, {table.name for table in tables}, where="as_of")
    for table in tables:
        moment = as_of.get(table.name) if isinstance(as_of, Mapping) else as_of
        if moment is not None:
            table.set("version", _version(moment))
    return tree


def _version(moment: int | datetime) -> exp.Version:
    if isinstance(moment, int):
        return exp.Version(this="VERSION", kind="AS OF", expression=exp.Literal.number(moment))
    return exp.Version(this="TIMESTAMP", kind="AS OF", expression=exp.Literal.string(moment.isoformat(" ")))
