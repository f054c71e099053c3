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
    moment = _moment(scope, non_additive)
    groups: list[exp.Expr] = [_grouping(scope, name) for name in non_additive.groupings]
    present = [exp.Not(this=exp.Is(this=g.copy(), expression=exp.Null())) for g in groups]
    for key in keys:
        own = key.element == non_additive.dimension
        if own or (key.kind == "metric_time" and non_additive.dimension == scope.time_dimension):
            groups.append(scope.item(key))
            break
    choice = exp.Min if non_additive.choice == "min" else exp.Max
    picked = exp.Window(this=choice(this=moment.copy()), partition_by=[g.copy() for g in groups])
    inner = scope.rows()
    test = all_of([*([test] if test is not None else []), *present])
    if test is not None:
        inner = inner.where(test, copy=False)
    # one scan and a window; the same as joining the picked moments back
    inner = selected(inner, {**columns, _AT: moment, _PICKED: picked})
    alias = f"{scope.alias}_rows"
    rows = exp.Select().from_(subquery(inner, alias), copy=False)
    rows = rows.where(exp.EQ(this=exp.column(_AT, alias), expression=exp.column(_PICKED, alias)), copy=False)
    return rows, {name: exp.column(name, alias) for name in columns}


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
