"""Pass: conversions, each credited to the last base event of the same entity before it.

Conversions of one entity at one moment all have the same base event, so they are counted first and credited once;
where several base events are as late, the least of their keys decides, on every engine alike.
"""

from __future__ import annotations

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.semantic.context import Context
from penstock.semantic.expressions import all_of, earlier, truncated
from penstock.semantic.known import known_tests
from penstock.semantic.leaves import ConversionOf
from penstock.semantic.names import Item, coarsest
from penstock.semantic.plain import within_range
from penstock.semantic.plan import Branch, TimeRange
from penstock.semantic.reach import limits_of, reach_of_conversions
from penstock.semantic.scope import Scope
from penstock.semantic.stage import Stage, selected, subquery

_MOMENT, _ENTITY, _VALUE = "moment", "entity", "value"


def conversion_stage(context: Context, branch: Branch, keys: tuple[Item, ...], time_range: TimeRange | None) -> Stage:
    """Aggregate the conversions by the keys of the base events that they are credited to.

    Raises:
        InvalidDefinitionError: One of the two models lacks the entity or a constant property.
        InvalidRequestError: A key has many values for one base event.
    """
    shape = branch.shape
    of = shape.conversion
    assert of is not None
    base = Scope(context, shape.model, shape.time_dimension, known=shape.known)
    done = Scope(context, of.aggregation.semantic_model, of.aggregation.time_dimension, known=of.known)
    many = next((k for k in keys if context.catalog.is_many(shape.model, k)), None)
    if many is not None:
        raise InvalidRequestError(
            f"a conversion is credited to one row of '{shape.model}', and '{many.column}' has many values for it",
            where=f"metric {branch.leaves[0][1].metric}",
            fix=f"leave {many.column} out",
        )
    grain = coarsest(base.time_grain(), done.time_grain())
    key_columns = {k.column: base.item(k) for k in keys}
    tests = [base.condition(c) for c in (*shape.own, *shape.extra)]
    if time_range is not None:
        tests.append(within_range(base.time(), time_range))
    tests += known_tests(base, shape.known)
    base_columns = {
        _MOMENT: truncated(grain, base.time()),
        _ENTITY: _element(base, of.entity, branch),
        **{f"same_{i}": _element(base, mine, branch) for i, (mine, _) in enumerate(of.constant_properties)},
    }
    events = _rows(base, {**base_columns, **key_columns}, tests, distinct=True)
    entry = aggregate(of.aggregation.agg)
    done_columns = {
        _MOMENT: truncated(grain, done.time()),
        _ENTITY: _element(done, of.entity, branch),
        **{f"same_{i}": _element(done, theirs, branch) for i, (_, theirs) in enumerate(of.constant_properties)},
    }
    value = done.value(of.aggregation.expr, f"metric {of.metric}")
    if entry.decomposable:
        parts = {f"{_VALUE}_{p.name}": p.partial(value) for p in entry.parts}
        group_by = len(done_columns)
    else:
        parts, group_by = {_VALUE: value}, 0
    done_tests = [done.condition(c) for c in of.conditions]
    done_tests += known_tests(done, of.known)
    done_tests += reach_of_conversions(done.time(), grain, of.window, limits_of(base.time(), tests))
    counted = _rows(done, {**done_columns, **parts}, done_tests, group_by=group_by)
    if not entry.decomposable:
        # the rows of one entity at one moment stay apart; a number within them keeps each for itself
        number = exp.Window(
            this=exp.RowNumber(),
            partition_by=[exp.column(c, "each") for c in done_columns],
            order=exp.Order(expressions=[exp.Ordered(this=exp.column(_VALUE, "each"))]),
        )
        each = exp.Select().from_(subquery(counted, "each"), copy=False)
        counted = selected(each, {**{c: exp.column(c, "each") for c in (*done_columns, *parts)}, "number": number})
    credited = _credited(of, events, counted, tuple(key_columns), tuple(parts), list(done_columns), entry.decomposable)
    rows = exp.Select().from_(subquery(credited, "credited"), copy=False)
    rows = rows.where(exp.EQ(this=exp.column("place", "credited"), expression=exp.Literal.number(1)), copy=False)
    if entry.decomposable:
        merged = entry.finish([p.merge(exp.column(f"{_VALUE}_{p.name}", "credited")) for p in entry.parts])
    else:
        merged = entry.over_rows(exp.column(_VALUE, "credited"), of.aggregation)
    values = {column: merged.copy() for column, _ in branch.leaves}
    return Stage(rows, {name: exp.column(name, "credited") for name in key_columns}, values, grouped=True)


def _credited(
    of: ConversionOf,
    events: exp.Select,
    counted: exp.Select,
    keys: tuple[str, ...],
    parts: tuple[str, ...],
    identity: list[str],
    whole: bool,
) -> exp.Select:
    """Each conversion with every base event that it may be credited to, ranked."""
    on = [exp.EQ(this=exp.column(_ENTITY, "base"), expression=exp.column(_ENTITY, "done"))]
    on += [
        exp.EQ(this=exp.column(f"same_{i}", "base"), expression=exp.column(f"same_{i}", "done"))
        for i in range(len(of.constant_properties))
    ]
    moment, limit = exp.column(_MOMENT, "base"), exp.column(_MOMENT, "done")
    tests: list[exp.Expr] = [*on, exp.LTE(this=moment, expression=limit)]
    if of.window is not None:
        tests.append(exp.GT(this=moment.copy(), expression=earlier(limit, of.window)))
    order = [exp.Ordered(this=moment.copy(), desc=True)]
    order += [exp.Ordered(this=exp.column(k, "base"), nulls_first=False) for k in keys]
    place = exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column(c, "done") for c in (*identity, *(() if whole else ("number",)))],
        order=exp.Order(expressions=order),
    )
    joined = (
        exp.Select()
        .from_(subquery(events, "base"), copy=False)
        .join(subquery(counted, "done"), on=all_of(tests), join_type="INNER", copy=False)
    )
    columns: dict[str, exp.Expr] = {k: exp.column(k, "base") for k in keys}
    columns |= {p: exp.column(p, "done") for p in parts}
    return selected(joined, {**columns, "place": place})


def _rows(
    scope: Scope, columns: dict[str, exp.Expr], tests: list[exp.Expr], *, group_by: int = 0, distinct: bool = False
) -> exp.Select:
    rows = scope.rows()
    test = all_of(tests)
    if test is not None:
        rows = rows.where(test, copy=False)
    return selected(rows, columns, group_by=group_by, distinct=distinct)


def _element(scope: Scope, name: str, branch: Branch) -> exp.Expr:
    model = scope.model
    found = model.entity_by_name.get(name) or model.dimension_by_name.get(name)
    if found is None:
        raise InvalidDefinitionError(
            f"the semantic model '{model.name}' has no '{name}', by which conversions are matched",
            where=f"metric {branch.leaves[0][1].metric}",
            fix=f"name one of {', '.join((*model.entity_by_name, *model.dimension_by_name))}",
        )
    return scope.value(found.expr, f"semantic model {model.name}, {name}")
