"""Pass: of the rows of a model that says things anew, the versions that count at a moment.

Models that don't declare `version_of` are read as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.manifest.model import SemanticModel
from penstock.semantic.expressions import failure, timestamp, user_expression
from penstock.semantic.knowledge import Versions
from penstock.semantic.known import Known, last_event
from penstock.semantic.request import Dialect
from penstock.semantic.stage import subquery

_NEXT = "row__next_known"


def known_versions(
    model: SemanticModel, table: exp.Expr, known: Known, time_dimension: str | None, dialect: Dialect | None
) -> exp.Expr:
    """The rows of `table` that are the last known versions of their things, under its alias.

    Args:
        model: The model whose rows they are.
        table: Its relation under an alias.
        known: By when, and how, rows are known; the end of time where it names no moment.
        time_dimension: When a row happened, from which a `delay` counts.
        dialect: The dialect compiled to; without it, versions that can't be told apart don't fail the query.
    """
    assert known.versions is not None
    alias = table.alias
    own = exp.Column(this=exp.Star(), table=exp.to_identifier(alias))
    order = known_time(model, known, time_dimension, alias)
    rows = exp.Select().from_(table, copy=False)
    after = next_known(model, known.versions, order, alias, dialect)
    rows = rows.select(own, exp.alias_(after, _NEXT), copy=False)
    if known.before is None:
        test: exp.Expr = exp.Not(this=exp.Is(this=order, expression=exp.Null()))
    else:
        test = exp.LT(this=order, expression=timestamp(last_event(model, known).isoformat(" ")))
    last = exp.Select().from_(subquery(rows.where(test, copy=False), alias), copy=False)
    last = last.select(own.copy(), copy=False)
    last = last.where(exp.Is(this=exp.column(_NEXT, alias), expression=exp.Null()), copy=False)
    there = not_deleted(model, known.versions, alias)
    return subquery(last if there is None else last.where(there, copy=False), alias)


def next_known(
    model: SemanticModel, versions: Versions, known: exp.Expr, table: str, dialect: Dialect | None
) -> exp.Expr:
    """When the next version of a row's thing is known; NULL for the last one, and for a row of no thing.

    Args:
        model: The model whose rows they are.
        versions: What is a version of what.
        known: When a row is known. Where it is NULL, the row comes before all others and supersedes none.
        table: The alias of the rows.
        dialect: The dialect compiled to; without it, versions that can't be told apart don't fail the query.
    """
    things = version_key(model, versions, table)
    order = [exp.Ordered(this=known.copy(), nulls_first=True)]
    if versions.tie_break is not None:
        tie_break = user_expression(versions.tie_break, where=f"semantic model {model.name}, tie_break", table=table)
        order.append(exp.Ordered(this=tie_break, nulls_first=True))
    after = exp.Window(
        this=exp.Lead(this=known.copy()), partition_by=things, order=exp.Order(expressions=order), over="OVER"
    )
    cases: list[exp.If] = [exp.If(this=_any_null(things), true=exp.Null())]
    if versions.tie_break is None and dialect is not None:
        message = f"{model.name} has versions of one thing that are known at one time; declare a tie_break"
        at_once = exp.EQ(this=after.copy(), expression=known.copy())
        cases.append(exp.If(this=at_once, true=failure(message, dialect)))
    return exp.Case(ifs=cases, default=after)


def version_key(model: SemanticModel, versions: Versions, table: str | None) -> list[exp.Expr]:
    """The expressions by which rows are versions of one thing."""
    where = f"semantic model {model.name}, version_of"
    return [user_expression(thing, where=where, table=table) for thing in versions.thing]


def not_deleted(model: SemanticModel, versions: Versions, table: str) -> exp.Expr | None:
    """Whether a version does not say that its thing is gone; None where none can say so."""
    if versions.deleted is None:
        return None
    gone = user_expression(versions.deleted, where=f"semantic model {model.name}, deleted", table=table)
    return exp.Not(this=exp.Coalesce(this=gone, expressions=[exp.false()]))


def known_time(model: SemanticModel, known: Known, time_dimension: str | None, table: str | None) -> exp.Expr:
    """What orders versions as they were known; a delay is the same for all of them, and is left out."""
    where = f"semantic model {model.name}"
    if known.known_at is not None:
        return user_expression(known.known_at, where=f"{where}, known_at", table=table)
    dimension = model.dimension_by_name.get(time_dimension or model.time_dimension or "")
    if dimension is None:
        raise InvalidDefinitionError(
            "its rows are known a delay after they happen, and it has no time at which they do",
            where=where,
            fix="give it an agg_time_dimension, or declare known_at",
        )
    return user_expression(dimension.expr, where=f"dimension {model.name}.{dimension.name}", table=table)


def _any_null(values: Sequence[exp.Expr]) -> exp.Expr:
    return exp.or_(*(exp.Is(this=value.copy(), expression=exp.Null()) for value in values), copy=False)
