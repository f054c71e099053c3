"""Small SQL expressions that mean the same in every dialect and mode."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from sqlglot import exp
from sqlglot.dialects.spark import Spark

from penstock.manifest.model import Window
from penstock.semantic.safe import safe_divisions
from penstock.semantic.templates import parse_expression

_IF_FOUND = "PENSTOCK_IF_FOUND"
# NULL in, NULL out: of nothing such an expression makes nothing
_STRICT = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Binary,
    exp.Paren,
    exp.Neg,
    exp.Cast,
    exp.DataType,
    exp.Nullif,
    exp.Abs,
    exp.Round,
)
_LOGICAL = (exp.And, exp.Or, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset(Spark.Tokenizer.KEYWORDS) | frozenset(Spark.Parser.NO_PAREN_FUNCTION_PARSERS)


@lru_cache(maxsize=8192)
def _parsed(sql: str, where: str) -> exp.Expr:
    if is_a_name(sql):  # as most definitions are: the parser would take ten times as long to say so
        return exp.column(sql)
    if sql.isascii() and sql.isdecimal():
        return exp.Literal.number(sql)
    return without_positions(safe_divisions(parse_expression(sql, where=where)))


def is_a_name(sql: str) -> bool:
    """Whether the text is a column's bare name for the parser, and no word of the language."""
    return _NAME.fullmatch(sql) is not None and sql.upper() not in _WORDS


def without_positions(tree: exp.Expr) -> exp.Expr:
    """The tree without the parser's notes on where a name stood, which take longer to copy than all the rest."""

    def bare(node: exp.Expr) -> exp.Expr:
        return exp.Identifier(this=node.this, quoted=node.args.get("quoted")) if type(node) is exp.Identifier else node

    return tree.transform(bare, copy=False)


def user_expression(sql: str, *, where: str, table: str | None = None) -> exp.Expr:
    """A definition's SQL as a tree of its own; its columns are those of `table`, where one is given."""
    tree = _parsed(sql, where).copy()
    if table is not None:
        for column in [tree] if isinstance(tree, exp.Column) else list(tree.find_all(exp.Column)):
            if not column.table:
                column.set("table", exp.to_identifier(table))
    return tree


def ratio(numerator: exp.Expr, denominator: exp.Expr) -> exp.Expr:
    """The quotient as a double; NULL where the denominator is zero."""
    below = exp.Nullif(this=denominator.copy(), expression=exp.Literal.number(0))
    return exp.Div(this=double(numerator), expression=double(below))


def double(value: exp.Expr) -> exp.Expr:
    """The value as a double."""
    return exp.cast(value.copy(), exp.DataType.Type.DOUBLE)


def truncated(grain: str, moment: exp.Expr) -> exp.Expr:
    """The start of the period in which a moment lies; weeks start on Monday, and nothing is below nanoseconds."""
    if grain == "nanosecond":
        return moment.copy()
    return exp.TimestampTrunc(this=moment.copy(), unit=exp.var(grain.upper()))


def extracted(part: str, moment: exp.Expr) -> exp.Expr:
    """A part of a date as a number; the day of the week is ISO's, Monday is 1."""
    if part == "dow":
        return exp.Anonymous(this="PENSTOCK_ISO_DAY_OF_WEEK", expressions=[moment.copy()])  # render knows both names
    return exp.Extract(this=exp.var(part.upper()), expression=moment.copy())


def earlier(moment: exp.Expr, window: Window) -> exp.Expr:
    """The moment a window's length before."""
    return exp.Sub(this=moment.copy(), expression=_interval(window))


def later(moment: exp.Expr, window: Window) -> exp.Expr:
    """The moment a window's length after."""
    return exp.Add(this=moment.copy(), expression=_interval(window))


def _interval(window: Window) -> exp.Expr:
    """A length of time; Spark has no interval of quarters."""
    count, grain = (window.count * 3, "month") if window.grain == "quarter" else (window.count, window.grain)
    return exp.Interval(this=exp.Literal.number(count), unit=exp.var(grain.upper()))


def failure(message: str, dialect: str) -> exp.Expr:
    """An expression that fails when it is evaluated."""
    name = "ERROR" if dialect == "duckdb" else "RAISE_ERROR"
    return exp.Anonymous(this=name, expressions=[exp.Literal.string(message)])


def timestamp(text: str) -> exp.Expr:
    """An ISO moment as a literal."""
    return exp.cast(exp.Literal.string(text), exp.DataType.Type.TIMESTAMP)


def all_of(conditions: Iterable[exp.Expr]) -> exp.Expr | None:
    """The conjunction, each part in parentheses where it needs them; None of nothing."""
    parts = [c.copy() for c in conditions]
    return exp.and_(*parts, copy=False) if parts else None


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr | None:
    """The disjunction; None of nothing."""
    parts = [c.copy() for c in conditions]
    return exp.or_(*parts, copy=False) if parts else None


def when(test: exp.Expr | None, value: exp.Expr) -> exp.Expr:
    """The value where the test holds, else NULL."""
    if test is None:
        return value.copy()
    return exp.Case(ifs=[exp.If(this=test.copy(), true=value.copy())])


def is_strict(value: exp.Expr) -> bool:
    """Whether an expression has columns, and is surely NULL where they are."""
    strict = all(isinstance(n, _STRICT) and not isinstance(n, _LOGICAL) for n in value.walk())
    return strict and value.find(exp.Column) is not None


def if_found(value: exp.Expr, *others: exp.Expr) -> exp.Expr:
    """A metric's expression over leaf columns, NULL where none of its leaves has a row, whatever it makes of NULL.

    Args:
        value: The expression.
        others: Expressions whose leaves count too, though the value doesn't use them.
    """
    columns = list(dict.fromkeys(c.name for v in (value, *others) for c in v.find_all(exp.Column)))
    if is_strict(value):
        return value

    def bare(node: exp.Expr) -> exp.Expr:
        inner = found_parts(node)
        return inner[0] if inner is not None and set(inner[1]) == set(columns) else node

    value = value.transform(bare, copy=False)
    return exp.Anonymous(this=_IF_FOUND, expressions=[value, *(exp.column(c) for c in columns)])


def found_parts(node: exp.Expr) -> tuple[exp.Expr, tuple[str, ...]] | None:
    """The expression and the leaves of what `if_found` made; None for any other node."""
    if not isinstance(node, exp.Anonymous) or node.name != _IF_FOUND:
        return None
    value, *columns = node.expressions
    return value, tuple(c.name for c in columns)
