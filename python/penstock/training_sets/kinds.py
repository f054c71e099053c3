"""What kind of number an expression is, as far as that can be proved from the declared types of columns.

A wrong answer here would let doubles be summed by differences, so only forms of SQL are followed whose result is known;
everything else is of unknown kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.semantic.context import relation_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.algebra.aggregates import Kind
    from penstock.training_sets.request import Types

_DECIMALS = (exp.DataType.Type.DECIMAL, exp.DataType.Type.BIGDECIMAL)
_NARROW = (exp.DataType.Type.TINYINT, exp.DataType.Type.SMALLINT, exp.DataType.Type.INT)
_DOUBLES = (exp.DataType.Type.FLOAT, exp.DataType.Type.DOUBLE)


def declared_types(types: Types, relation: str) -> Mapping[str, str] | None:
    """The types of a relation's columns by lower-case name; None where they are not declared."""
    wanted = relation_key(relation)
    for name, columns in types.items():
        if relation_key(name) == wanted:
            return {column.lower(): text for column, text in columns.items()}
    return None


def types_of_contracts(graph: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The types that dbt enforces: those of the columns of models under contract.

    Args:
        graph: dbt's `graph`, whose `nodes` are by unique id.
    """
    found: dict[str, dict[str, str]] = {}
    for node in (graph.get("nodes") or {}).values():
        columns = node.get("columns") or {}
        enforced = (node.get("contract") or {}).get("enforced")
        if enforced and node.get("relation_name") and all(c.get("data_type") for c in columns.values()):
            found[node["relation_name"]] = {c.get("name") or n: c["data_type"] for n, c in columns.items()}
    return found


def kind_of(value: exp.Expr, types: Mapping[str, str]) -> Kind | None:
    """The kind of an expression's value; None where it can't be told.

    Args:
        value: An expression over one relation.
        types: The types of the relation's columns by lower-case name.

    Example:
        >>> kind_of(exp.maybe_parse("CASE WHEN delay > 15 THEN 1 ELSE 0 END"), {})
        'integer'
        >>> kind_of(exp.maybe_parse("price * 2"), {"price": "double"})
        'double'
    """
    if isinstance(value, exp.Column):
        return _kind_of_type(types.get(value.name.lower()))
    if isinstance(value, exp.Literal):
        return _kind_of_literal(value)
    if isinstance(value, exp.Cast):  # TryCast is one
        return _kind_of_type(value.to)
    return _joined(_results(value), types)


def is_narrow(value: exp.Expr, types: Mapping[str, str]) -> bool:
    """Whether an expression's value surely has 32 bits at most, so that no sum over a table overflows 64.

    Args:
        value: An expression over one relation.
        types: The types of the relation's columns by lower-case name.

    Example:
        >>> is_narrow(exp.maybe_parse("COALESCE(delay, 0)"), {"delay": "int"})
        True
        >>> is_narrow(exp.maybe_parse("delay + distance"), {"delay": "int", "distance": "bigint"})
        False
    """
    if isinstance(value, exp.Column):
        return _type_of(types.get(value.name.lower())) in _NARROW
    if isinstance(value, exp.Literal):
        return not value.is_string and value.name.isdigit() and int(value.name) < 2**31
    if isinstance(value, exp.Cast):
        return _type_of(value.to) in _NARROW
    results = [v for v in _results(value) if not isinstance(v, exp.Null)]
    return bool(results) and all(is_narrow(v, types) for v in results)


def _results(value: exp.Expr) -> list[exp.Expr]:
    """The parts from whose kinds that of the whole follows; none where it doesn't."""
    if isinstance(value, (exp.Paren, exp.Neg, exp.Abs, exp.Nullif)):
        return [value.this]
    if isinstance(value, (exp.Add, exp.Sub, exp.Mul)):
        return [value.this, value.expression]
    if isinstance(value, exp.Coalesce):
        return [value.this, *value.expressions]
    if isinstance(value, exp.Case):
        default = value.args.get("default")
        return [*(i.args["true"] for i in value.args["ifs"]), *([default] if default else [])]
    return []


def _joined(values: list[exp.Expr], types: Mapping[str, str]) -> Kind | None:
    kinds = {kind_of(v, types) for v in values if not isinstance(v, exp.Null)}
    if not kinds or None in kinds or "other" in kinds:
        return None
    for kind in ("double", "decimal", "integer"):
        if kind in kinds:
            return kind
    return None


def _kind_of_literal(literal: exp.Literal) -> Kind:
    if literal.is_string:
        return "other"
    if literal.name.isdigit():
        return "integer"
    return "double" if "e" in literal.name.lower() else "decimal"


def _kind_of_type(declared: str | exp.DataType | None) -> Kind | None:
    kind = _type_of(declared)
    if kind is None:
        return None
    if kind in exp.DataType.INTEGER_TYPES:
        return "integer"
    if kind in _DECIMALS:
        return "decimal"
    return "double" if kind in _DOUBLES else "other"


def _type_of(declared: str | exp.DataType | None) -> exp.DType | None:
    if declared is None:
        return None
    try:
        found: exp.DType = exp.DataType.build(declared, dialect="spark").this
    except (SqlglotError, ValueError):
        return None
    return found
