"""Pass: items without a metric: their distinct values."""

from __future__ import annotations

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.catalog import Catalog
from penstock.semantic.context import Context
from penstock.semantic.expressions import all_of
from penstock.semantic.names import Item
from penstock.semantic.plain import within_range
from penstock.semantic.plan import TimeRange
from penstock.semantic.resolve import Condition, reference_item
from penstock.semantic.scope import Scope
from penstock.semantic.spine import Spine
from penstock.semantic.stage import selected
from penstock.semantic.templates import Reference


def distinct_values(
    context: Context,
    anchor: str | None,
    keys: tuple[Item, ...],
    names: dict[str, str],
    conditions: tuple[Condition, ...],
    time_range: TimeRange | None,
    *,
    distinct: bool,
) -> exp.Select:
    """Select the items' values.

    Args:
        context: What the compilation shares.
        anchor: The model from which all of them are reached; None where only metric time is asked for.
        keys: The items.
        names: The output name of each by its column.
        conditions: The filters.
        time_range: The time constraint, on metric time.
        distinct: Whether duplicates are removed.
    """
    catalog = context.catalog
    facts = (anchor,) if anchor is not None else ()
    scope = Scope(context, anchor, None, outer=True) if anchor is not None else None
    asked = [
        reference_item(catalog, facts, r, c.default_grain, f"{c.where}: {c.filter.text}")
        for c in conditions
        for r in c.filter.references
        if r.kind != "metric"
    ]
    times = [i for i in (*keys, *asked) if i.kind == "metric_time"]
    if time_range is not None and not times:
        times = [Item("metric_time", (), "metric_time", "day")]
    spine = _spine(context, times) if times else None

    def value(item: Item) -> exp.Expr:
        if item.kind == "metric_time":
            assert spine is not None
            return spine.item(item)
        assert scope is not None
        return scope.item(item)

    columns = {names[k.column]: value(k) for k in keys}
    tests = []
    for condition in conditions:

        def column(reference: Reference, condition: Condition = condition) -> exp.Expr:
            where = f"{condition.where}: {condition.filter.text}"
            if reference.kind == "metric":
                if scope is None:
                    raise InvalidRequestError("metric time has no entity to compare a metric for", where=where)
                return scope.metric(reference, where)
            return value(reference_item(catalog, facts, reference, condition.default_grain, where))

        tests.append(condition.bind(column))
    if time_range is not None:
        assert spine is not None
        tests.append(within_range(spine.moment, time_range))
    if scope is None:
        assert spine is not None
        rows = spine.rows()
    elif spine is None:
        rows = scope.rows()
    else:
        # paired with the anchor alone: what an outer join adds to it has no metric time
        whole = spine.rows()
        rows = scope.rows(crossed=whole.args["from_"].this)
        for join in whole.args.get("joins") or ():
            rows.append("joins", join)
    test = all_of(tests)
    if test is not None:
        rows = rows.where(test, copy=False)
    return selected(rows, columns, distinct=distinct)


def anchor_for(catalog: Catalog, paths: list[tuple[str, ...]], *, where: str) -> str | None:
    """The model from which all the named items are reached over the fewest joins.

    Raises:
        InvalidRequestError: There is none.
    """
    if not paths:
        return None
    best: tuple[int, int, str] | None = None
    for number, model in enumerate(catalog.manifest.models.values()):
        joins: set[object] = set()
        local = 0
        for path in paths:
            item = _found(catalog, model.name, path)
            if item is None:
                break
            place = catalog.place(model.name, item.links, item.element)
            assert place is not None
            local += not place.hops
            joins |= {place.hops[: i + 1] for i in range(len(place.hops))}
        else:
            if local and (best is None or (len(joins), number) < best[:2]):
                best = (len(joins), number, model.name)
    if best is None:
        _check_known(catalog, paths, where)
        raise InvalidRequestError(
            f"no semantic model reaches all of {', '.join('__'.join(p) for p in paths)}",
            where=where,
            fix="ask for fewer of them together, or for a metric that has them",
        )
    return best[2]


def _check_known(catalog: Catalog, paths: list[tuple[str, ...]], where: str) -> None:
    models = tuple(catalog.manifest.models)
    for path in paths:
        if all(_found(catalog, model, path) is None for model in models):
            known = {name for model in models for name in catalog.names((model,))}
            raise UnknownNameError.of("dimension or entity", "__".join(path), known, where=where)


def _found(catalog: Catalog, model: str, path: tuple[str, ...]) -> Item | None:
    try:
        return catalog.resolve((model,), path)
    except InvalidRequestError:
        return None  # ambiguous from here; another model may know it by one name


def _spine(context: Context, times: list[Item]) -> Spine:
    grains = tuple(t.grain or "day" for t in times)
    finest = context.catalog.finest_of(grains)
    return Spine(context, context.catalog.spine_for(finest, where="metric_time").grain, alias="metric_time_spine")
