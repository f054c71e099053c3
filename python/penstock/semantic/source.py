"""The rows that a leaf aggregates: the fact's rows that its filters let through, semi-additive ones thinned out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.manifest.model import NonAdditive
from penstock.semantic.expressions import all_of, truncated, user_expression
from penstock.semantic.names import Item
from penstock.semantic.scope import Scope
from penstock.semantic.stage import selected, subquery

_PICKED, _AT = "picked__moment", "own__moment"


def source_rows(
    scope: Scope,
    columns: Mapping[str, exp.Expr],
    where: Iterable[exp.Expr],
    non_additive: NonAdditive | None,
    keys: Iterable[Item],
) -> tuple[exp.Select, dict[str, exp.Expr]]:
    """The rows with nothing selected, and the columns as they are named in them.

    Args:
        scope: The fact.
        columns: The expressions over its rows that are needed.
        where: Conditions on its rows.
        non_additive: Where set, only the rows at the first or last moment of their group remain.
        keys: The group-by items of the query: a queried period is such a group.
    """
    test = all_of(where)
    if non_additive is None:
        rows = scope.rows()
        return (rows if test is None else rows.where(test, copy=False)), dict(columns)
    moment, groups = axis(scope, non_additive)
    inner = scope.rows()
    test = all_of([*([test] if test is not None else []), *(is_there(g) for g in groups)])
    if test is not None:
        inner = inner.where(test, copy=False)
    period = period_of(scope, non_additive, keys)
    if period is not None:
        groups.append(scope.item(period))
    return picked(inner, columns, moment, groups, non_additive, f"{scope.alias}_rows")


def axis(scope: Scope, non_additive: NonAdditive) -> tuple[exp.Expr, list[exp.Expr]]:
    """The moment by which rows are chosen, and the groups within which they are; a row without a group is left out."""
    return _moment(scope, non_additive), [_grouping(scope, name) for name in non_additive.groupings]


def is_there(value: exp.Expr) -> exp.Expr:
    """Whether a value is not NULL."""
    return exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))


def period_of(scope: Scope, non_additive: NonAdditive, keys: Iterable[Item]) -> Item | None:
    """The queried period that is a group too; None where the query has none."""
    for key in keys:
        own = key.element == non_additive.dimension
        if own or (key.kind == "metric_time" and non_additive.dimension == scope.time_dimension):
            return key
    return None


def picked(
    rows: exp.Select,
    columns: Mapping[str, exp.Expr],
    moment: exp.Expr,
    groups: Iterable[exp.Expr],
    non_additive: NonAdditive,
    alias: str,
) -> tuple[exp.Select, dict[str, exp.Expr]]:
    """The rows at the first or last moment of their group, and the columns as they are named in them."""
    choice = exp.Min if non_additive.choice == "min" else exp.Max
    chosen = exp.Window(this=choice(this=moment.copy()), partition_by=[g.copy() for g in groups])
    # one scan and a window; the same as joining the picked moments back
    inner = selected(rows, {**columns, _AT: moment, _PICKED: chosen})
    outer = exp.Select().from_(subquery(inner, alias), copy=False)
    outer = outer.where(exp.EQ(this=exp.column(_AT, alias), expression=exp.column(_PICKED, alias)), copy=False)
    return outer, {name: exp.column(name, alias) for name in columns}


def _moment(scope: Scope, non_additive: NonAdditive) -> exp.Expr:
    dimension = scope.model.dimension_by_name.get(non_additive.dimension)
    if dimension is None:
        raise InvalidDefinitionError(
            f"the non-additive dimension '{non_additive.dimension}' is not in the semantic model",
            where=f"semantic model {scope.model.name}",
            fix=f"name one of {', '.join(scope.model.dimension_by_name)}",
        )
    value = scope.value(dimension.expr, f"dimension {scope.model.name}.{dimension.name}")
    return truncated(scope.time_grain(), value)


def _grouping(scope: Scope, name: str) -> exp.Expr:
    entity = scope.model.entity_by_name.get(name)
    if entity is None:
        raise InvalidDefinitionError(
            f"the window grouping '{name}' is no entity of the semantic model",
            where=f"semantic model {scope.model.name}",
            fix=f"name one of {', '.join(scope.model.entity_by_name)}",
        )
    return user_expression(entity.expr, where=f"entity {scope.model.name}.{name}", table=scope.alias)
