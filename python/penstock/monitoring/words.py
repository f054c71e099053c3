"""Formulas as SQL trees, and the few words of SQL in which they differ between Spark and DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import get_args

from sqlglot import exp, parse_one

from penstock.dialects import Dialect, call, double, words
from penstock.errors import UnknownNameError

_DIALECTS = get_args(Dialect)


def known_dialect(dialect: str) -> None:
    """Refuse what is neither Spark nor DuckDB.

    Raises:
        UnknownNameError: It is another one.
    """
    if dialect not in _DIALECTS:
        raise UnknownNameError.of("dialect", dialect, _DIALECTS)


def formula(text: str, **parts: exp.Expr | float) -> exp.Expr:
    """The tree of a formula of ours, its `:name` replaced by the parts, in parentheses where they need them.

    Example:
        >>> formula("a * :b", b=formula("c + 1e0")).sql()
        'a * (c + 1e0)'
    """

    def put(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder):
            return node
        part = parts[node.name]
        if not isinstance(part, exp.Expr):
            part = double(part)
        return exp.paren(part) if isinstance(part, (exp.Binary, exp.Unary)) else part.copy()

    return _parsed(text).transform(put)


@lru_cache(maxsize=256)
def _parsed(text: str) -> exp.Expr:
    return parse_one(text)


def spark_sql(text: str) -> exp.Expr:
    """The tree of a text of ours in Spark's SQL."""
    return parse_one(text, dialect="spark")


def column(name: str) -> exp.Expr:
    """A column of a user's."""
    return exp.column(name, quoted=True)


def source(relation: str | exp.Query, dialect: Dialect) -> exp.Expr:
    """What a query reads from: a table, or a query in parentheses."""
    if isinstance(relation, str):
        return exp.to_table(relation, dialect=dialect)
    return relation.copy().subquery("given")


def named(columns: Mapping[str, exp.Expr | str]) -> list[exp.Expr]:
    """Columns under these names; a text is a formula of ours."""
    values = {name: formula(value) if isinstance(value, str) else value for name, value in columns.items()}
    return [exp.alias_(value, name, copy=False) for name, value in values.items()]


def inside(query: exp.Query) -> exp.Expr:
    """A query of ours to read from, which is not used elsewhere."""
    return query.subquery("step", copy=False)


def extended(query: exp.Query | str, columns: Mapping[str, exp.Expr | str]) -> exp.Select:
    """All columns of a query of ours, or of a step by its name, and further ones over them.

    Example:
        >>> extended("rows", {"twice": "2e0 * w"}).sql()
        'SELECT *, 2e0 * w AS twice FROM rows'
    """
    read = query if isinstance(query, str) else inside(query)
    return exp.select("*", *named(columns), copy=False).from_(read, copy=False)


def totals(query: exp.Query | str, by: Sequence[str], columns: Mapping[str, exp.Expr | str]) -> exp.Select:
    """Aggregates over a query of ours, or a step by its name, one row for each value of the columns `by`."""
    read = query if isinstance(query, str) else inside(query)
    answer = exp.select(*by, *named(columns), copy=False).from_(read, copy=False)
    return answer.group_by(*by, copy=False) if by else answer


def steps(query: exp.Select, queries: Mapping[str, exp.Query]) -> exp.Select:
    """A query of ours over steps by their names, each of which may read those before."""
    for name, step in queries.items():
        query = query.with_(name, step, copy=False)
    return query


def window(function: str, by: Sequence[str], order: exp.Expr | None = None) -> exp.Expr:
    """`function OVER (PARTITION BY … ORDER BY …)`; ordered, a sum goes up to the row and its peers."""
    return exp.Window(
        this=formula(function),
        partition_by=[column(name) for name in by],
        order=exp.Order(expressions=[order]) if order is not None else None,
    )


def numbers_to(last: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The list 1, 2, … `last`, which is 1 at least: below, Spark would count backwards."""
    if dialect == "spark":
        return call("SEQUENCE", exp.Literal.number(1), last)
    return call("RANGE", exp.Literal.number(1), formula(":last + 1", last=last))


def each(list_: exp.Expr, name: str, body: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The list of what `body` makes of each value, which it knows as the column `name`."""
    return words(dialect).each(list_, lambda _: body.copy(), name)


def total(list_: exp.Expr, name: str, body: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The sum, as DOUBLE, of what `body` makes of each value of a list that is not empty, in its order."""
    if dialect == "duckdb":
        return call("LIST_SUM", each(list_, name, body, dialect))
    known = [exp.to_identifier("total"), exp.to_identifier(name)]
    merge = exp.Lambda(this=formula("total + :term", term=body), expressions=known)
    return call("AGGREGATE", list_, double(0.0), merge)
