"""Filter templates and group-by expressions: `{{ Dimension('user__country').grain('month') }} >= '2024-01-01'`.

The calls are read with Python's own parser, never run; the SQL around them is parsed by sqlglot. What comes out is a
tree with one placeholder column a call: the text of a user reaches SQL in no other way.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.safe import safe_divisions

# made once: by their names, sqlglot makes them anew for each text
SPARK, DUCKDB = Spark(), DuckDB()

Kind = Literal["dimension", "time_dimension", "entity", "metric"]

DATE_PARTS = ("year", "quarter", "month", "day", "dow", "doy")

_CALLS: dict[str, Kind] = {
    "Dimension": "dimension",
    "TimeDimension": "time_dimension",
    "Entity": "entity",
    "Metric": "metric",
}
_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PLACEHOLDER = "__penstock_ref_{}__"
_PLACEHOLDER_NAME = re.compile(r"^__penstock_ref_(\d+)__$")


@dataclass(frozen=True)
class Reference:
    """One named thing in a template, as written: `name` may have entity prefixes ('listing__user__country').

    For a metric, `group_by` holds the names by which it is aggregated before it is compared.
    """

    kind: Kind
    name: str
    entity_path: tuple[str, ...] = ()
    grain: str | None = None
    date_part: str | None = None
    group_by: tuple[str, ...] = ()
    descending: bool | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The entities on the way and, last, the element: ('listing', 'user', 'country')."""
        return (*self.entity_path, *self.name.split("__"))


@dataclass(frozen=True)
class ParsedFilter:
    """A condition as a tree in which the i-th of `references` stands as the placeholder column number i."""

    text: str
    references: tuple[Reference, ...]
    tree: exp.Expr = field(compare=False)

    def bind(self, column: Callable[[Reference], exp.Expr]) -> exp.Expr:
        """The condition with each placeholder replaced by what `column` gives for its reference."""

        def fill(node: exp.Expr) -> exp.Expr:
            match = isinstance(node, exp.Column) and _PLACEHOLDER_NAME.match(node.name)
            return _operand(column(self.references[int(match[1])])) if match else node

        return self.tree.copy().transform(fill, copy=False)


def _operand(value: exp.Expr) -> exp.Expr:
    """A copy in the place of a name, whatever stands around it."""
    loose = isinstance(value, (exp.Binary, exp.Unary, exp.Predicate)) and not isinstance(value, (exp.Paren, exp.Dot))
    return exp.paren(value) if loose else value.copy()


@lru_cache(maxsize=4096)
def parse_filter(text: str, *, where: str = "a filter") -> ParsedFilter:
    """Parse one filter template.

    Args:
        text: The filter as written, with `{{ ... }}` calls.
        where: The place to name in an error.

    Raises:
        InvalidRequestError: It is no single SQL condition, or holds a sub-query or an aggregate.

    Example:
        >>> parse_filter("{{ Dimension('listing__country') }} = 'us'").references[0].path
        ('listing', 'country')
    """
    references: list[Reference] = []

    def note(match: re.Match[str]) -> str:
        references.append(parse_reference(match[1].strip(), where=where))
        return " " + _PLACEHOLDER.format(len(references) - 1) + " "

    sql = _TEMPLATE.sub(note, text)
    if "{{" in sql or "}}" in sql or "{%" in sql:
        raise InvalidRequestError(
            "a filter may hold calls like {{ Dimension('user__country') }}, but no other template syntax",
            where=f"{where}: {text}",
        )
    tree = parse_expression(sql, where=where, shown=text)
    aggregate = tree.find(exp.AggFunc, exp.Window)
    if aggregate is not None:
        raise InvalidRequestError(
            "a filter is applied to rows, before they are aggregated: it can't hold an aggregate or a window",
            where=f"{where}: {text}",
            fix="compare a metric with {{ Metric('name', group_by=['entity']) }}",
        )
    # `{{ Metric('x') }}` in a string literal would have come through as text
    if any("__penstock_ref_" in literal.name for literal in tree.find_all(exp.Literal)):
        raise InvalidRequestError("a {{ ... }} call can't stand within quotes", where=f"{where}: {text}")
    return ParsedFilter(text=text, references=tuple(references), tree=safe_divisions(tree))


def parse_expression(sql: str, *, where: str, shown: str | None = None) -> exp.Expr:
    """Parse one SQL expression of a user; statements, several expressions and sub-queries are refused.

    Raises:
        InvalidRequestError: With the place and the parser's own words.
    """
    shown = sql if shown is None else shown
    try:
        statements = sqlglot.parse(f"SELECT {sql}", read=SPARK)
    except SqlglotError as bad:
        detail = str(bad).split("\n", 1)[0]
        raise InvalidRequestError(f"this is no SQL expression: {detail}", where=f"{where}: {shown}") from bad
    except RecursionError as bad:
        raise InvalidRequestError("this is nested too deeply", where=f"{where}: {shown[:60]}…") from bad
    select = statements[0]
    single = (
        len(statements) == 1
        and isinstance(select, exp.Select)
        and len(select.expressions) == 1
        and {k for k, v in select.args.items() if v} <= {"expressions"}
    )
    if not single or select is None or isinstance(select.expressions[0], (exp.Alias, exp.Star)):
        raise InvalidRequestError("this is not a single SQL expression", where=f"{where}: {shown}")
    tree: exp.Expr = select.expressions[0].pop()
    if isinstance(tree, exp.Query) or tree.find(exp.Query, exp.Command, exp.DDL, exp.DML) is not None:
        raise InvalidRequestError(
            "an expression can't hold a sub-query", where=f"{where}: {shown}", fix="join it in a model, or use a metric"
        )
    return tree


def parse_reference(text: str, *, where: str = "a name") -> Reference:
    """Parse a call such as `TimeDimension('metric_time', 'day')` or a plain dunder name such as `metric_time__day`.

    Raises:
        InvalidRequestError: It is neither.
    """
    if re.fullmatch(r"-?\w+", text):
        return Reference(
            kind="dimension", name=text.lstrip("-").lower(), descending=True if text.startswith("-") else None
        )
    try:
        node: ast.expr = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as bad:
        raise InvalidRequestError(
            "this is neither a name nor a call like Dimension('user__country')", where=f"{where}: {text}"
        ) from bad
    chain: list[ast.Call] = []
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        chain.append(node)
        node = node.func.value
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise InvalidRequestError(
            "this is neither a name nor a call like Dimension('user__country')", where=f"{where}: {text}"
        )
    if node.func.id not in _CALLS:
        raise UnknownNameError.of("call", node.func.id, _CALLS, where=f"{where}: {text}")
    reference = _construct(_CALLS[node.func.id], node, f"{where}: {text}")
    for call in reversed(chain):
        reference = _modify(reference, call, f"{where}: {text}")
    return reference


_PARAMETERS: dict[Kind, tuple[str, ...]] = {
    "dimension": ("name", "entity_path"),
    "time_dimension": ("name", "grain", "entity_path", "date_part"),
    "entity": ("name", "entity_path"),
    "metric": ("name", "group_by"),
}
_METHODS = ("grain", "date_part", "descending")
# the keywords under which MetricFlow and dbt know the same parameters
_SYNONYMS = {
    "dimension_name": "name",
    "time_dimension_name": "name",
    "entity_name": "name",
    "metric_name": "name",
    "time_granularity_name": "grain",
    "time_granularity": "grain",
    "date_part_name": "date_part",
}


def _construct(kind: Kind, call: ast.Call, where: str) -> Reference:
    given: dict[str, object] = {}
    names = _PARAMETERS[kind]
    if len(call.args) > len(names):
        raise InvalidRequestError(f"too many arguments; it takes {', '.join(names)}", where=where)
    for name, value in zip(names, call.args, strict=False):
        given[name] = _literal(value, where)
    for keyword in call.keywords:
        name = _SYNONYMS.get(keyword.arg or "", keyword.arg or "")
        if name == "descending":
            given[name] = _literal(keyword.value, where)
        elif name not in names:
            raise UnknownNameError.of("argument", keyword.arg or "**", names, where=where)
        else:
            given[name] = _literal(keyword.value, where)
    if not isinstance(given.get("name"), str):
        raise InvalidRequestError("the first argument has to be a name in quotes", where=where)
    return _with(Reference(kind=kind, name=str(given.pop("name")).lower()), given, where)


def _modify(reference: Reference, call: ast.Call, where: str) -> Reference:
    assert isinstance(call.func, ast.Attribute)
    method = call.func.attr
    if method not in _METHODS or (reference.kind == "metric" and method != "descending"):
        raise UnknownNameError.of("method", method, _METHODS, where=where)
    if len(call.args) != 1 or call.keywords:
        raise InvalidRequestError(f".{method}() takes one argument", where=where)
    return _with(reference, {method: _literal(call.args[0], where)}, where)


def _with(reference: Reference, given: dict[str, object], where: str) -> Reference:
    for name, value in given.items():
        match name, value:
            case _, None:
                continue
            case "grain", str():
                reference = replace(reference, grain=value.lower())
            case "date_part", str():
                if value.lower() not in DATE_PARTS:
                    raise UnknownNameError.of("date part", value, DATE_PARTS, where=where)
                reference = replace(reference, date_part=value.lower())
            case "entity_path", tuple():
                reference = replace(reference, entity_path=tuple(str(v).lower() for v in value))
            case "group_by", tuple():
                reference = replace(reference, group_by=tuple(str(v).lower() for v in value))
            case "descending", bool():
                reference = replace(reference, descending=value)
            case _:
                raise InvalidRequestError(f"'{value}' is no value for {name}", where=where)
    return reference


def _literal(node: ast.expr, where: str) -> object:
    try:
        value = ast.literal_eval(node)
    except ValueError as bad:
        raise InvalidRequestError("arguments have to be plain strings or lists of strings", where=where) from bad
    if isinstance(value, (list, tuple)):
        # Metric(..., group_by=[Dimension('x')]) is not a literal and was refused above
        return tuple(value)
    return value


def bare_names_as_references(parsed: ParsedFilter) -> ParsedFilter:
    """The filter with plain column names (`metric_time__day >= ...`) turned into references like the others."""
    references = list(parsed.references)

    def note(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or _PLACEHOLDER_NAME.match(node.name):
            return node
        if node.table:
            raise InvalidRequestError(
                f"'{node.sql()}' names a table: a filter knows only dimensions and entities",
                where=parsed.text,
                fix="write {{ Dimension('entity__name') }}",
            )
        references.append(Reference(kind="dimension", name=node.name.lower()))
        return exp.column(_PLACEHOLDER.format(len(references) - 1))

    tree = parsed.tree.copy().transform(note, copy=False)
    return ParsedFilter(text=parsed.text, references=tuple(references), tree=tree)
