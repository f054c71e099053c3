"""The few places where dialects differ, and builders that every shape uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.errors import InvalidRequestError, UnknownNameError

if TYPE_CHECKING:
    from penstock.semantic.request import Dialect

DIALECTS: tuple[Dialect, ...] = ("spark", "duckdb")


def known_dialect(text: str) -> Dialect:
    """The dialect of that name; others are refused, for the SQL has not been proved on them.

    Raises:
        UnknownNameError: With those that there are.
    """
    for dialect in DIALECTS:
        if text == dialect:
            return dialect
    raise UnknownNameError.of("dialect", text, DIALECTS, where="a training set")


def microseconds(instant: exp.Expr, dialect: Dialect) -> exp.Expr:
    """An instant as microseconds since 1970 (BIGINT). Dates are their midnight in the session's time zone."""
    if dialect == "duckdb":
        return exp.UnixMicros(this=instant.copy())
    return exp.UnixMicros(this=exp.Cast(this=instant.copy(), to=exp.DataType(this=exp.DataType.Type.TIMESTAMPTZ)))


def whole_row(table: str, dialect: Dialect) -> exp.Expr:
    """All columns of a table as one struct."""
    if dialect == "duckdb":
        return exp.column(table)
    return exp.Struct(expressions=[exp.Column(this=exp.Star(), table=exp.to_identifier(table))])


def struct(**fields: exp.Expr) -> exp.Struct:
    """A struct of named fields."""
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.to_identifier(n), expression=v.copy()) for n, v in fields.items()]
    )


def column(name: str, table: str | None = None) -> exp.Column:
    """A column that we have named ourselves."""
    return exp.column(name, table=table)


def user_column(name: str, table: str | None = None) -> exp.Column:
    """A column that a user has named, quoted."""
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table) if table else None)


def qualified(tree: exp.Expr, table: str) -> exp.Expr:
    """A copy whose bare columns are those of `table`."""
    tree = tree.copy()
    for found in list(tree.find_all(exp.Column)):
        if not found.table:
            found.set("table", exp.to_identifier(table))
    return tree


def kinds(count: int) -> exp.Join:
    """CROSS JOIN (VALUES (0), (1), …) AS _kinds(_kind)."""
    rows = [exp.Tuple(expressions=[exp.Literal.number(i)]) for i in range(count)]
    alias = exp.TableAlias(this=exp.to_identifier("_kinds"), columns=[exp.to_identifier("_kind")])
    return exp.Join(this=exp.Values(expressions=rows, alias=alias), kind="CROSS")


def of_kinds(rows: exp.Select, alias: str, count: int) -> exp.Select:
    """Select from rows, each once for every kind of event: with `_kind` 0, 1, …; a constant where there is one."""
    if count == 1:
        rows = rows.select(exp.alias_(exp.Literal.number(0), "_kind"), copy=False)
    select = exp.Select().from_(exp.alias_(exp.Subquery(this=rows), alias, table=True), copy=False)
    if count > 1:
        select.append("joins", kinds(count))
    return select


def bound(spine: str, end: type[exp.Min | exp.Max], after: int) -> exp.Expr:
    """The first or the last instant about which a step with the spine's rows asks, `after` microseconds after it."""
    found = exp.Subquery(this=exp.Select().from_(spine).select(end(this=column("_time")), copy=False))
    return exp.Add(this=found, expression=exp.Literal.number(after)) if after else found


def not_null(value: exp.Expr) -> exp.Expr:
    """`value IS NOT NULL`."""
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))


def type_of(text: str, dialect: Dialect) -> exp.DataType:
    """A column's type, from its text; one that is not known is of type UNKNOWN."""
    try:
        return exp.DataType.build(text, dialect=dialect)
    except (SqlglotError, ValueError):
        return exp.DataType(this=exp.DataType.Type.UNKNOWN)


def source_of(text: str, alias: str, dialect: Dialect, *, what: str = "the spine") -> exp.Expr:
    """A relation, a name or a query, as something to select from.

    Args:
        text: The name or the query.
        alias: What it is called where it is read.
        dialect: The dialect that it is in.
        what: What it is the relation of, for the error.

    Raises:
        InvalidRequestError: It is neither.
    """
    where = f"{what}'s relation: {text}"
    problem = f"{what} is neither a table's name nor a query"
    try:
        statements = sqlglot.parse(text, read=dialect)
        tree = statements[0] if len(statements) == 1 else None
        if isinstance(tree, exp.Query) and tree.selects:
            tree = tree.unwrap() if isinstance(tree, exp.Subquery) else tree
            return exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier(alias)))
        if tree is None or not isinstance(tree, (exp.Column, exp.Dot, exp.Identifier)):
            raise InvalidRequestError(problem, where=where)
        named = exp.to_table(text, dialect=dialect)
    except SqlglotError as bad:
        raise InvalidRequestError(f"{problem}: {str(bad).splitlines()[0]}", where=where) from bad
    named.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return named
