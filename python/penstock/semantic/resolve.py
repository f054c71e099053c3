"""Names to things: the items and conditions of a request, the facts and grains of its metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.manifest.model import Metric
from penstock.semantic.catalog import Catalog
from penstock.semantic.names import GRAINS, METRIC_TIME, Item, coarsest, finer_or_same, is_standard
from penstock.semantic.periods import compared_by_column
from penstock.semantic.templates import (
    DATE_PARTS,
    ParsedFilter,
    Reference,
    bare_names_as_references,
    parse_filter,
)


@dataclass(frozen=True)
class Condition:
    """A filter, and the grain that a bare `metric_time` has in it."""

    filter: ParsedFilter
    default_grain: str | None
    where: str

    def bind(self, column: Callable[[Reference], exp.Expr]) -> exp.Expr:
        """The filter over what `column` gives for each of its references."""
        return compared_by_column(self.filter.bind(column))


@lru_cache(maxsize=4096)
def condition(text: str, default_grain: str | None, where: str) -> Condition:
    """Parse one filter template; names outside of `{{ }}` are the names of items too."""
    return Condition(bare_names_as_references(parse_filter(text, where=where)), default_grain, where)


def split_name(
    catalog: Catalog, path: tuple[str, ...], grain: str | None
) -> tuple[tuple[str, ...], str | None, str | None]:
    """A dunder name's path, grain and date part: ('ds', 'month') is ds by month."""
    *rest, last = path
    if rest and grain is None and (is_standard(last) or last in catalog.custom_grains):
        return tuple(rest), last, None
    if rest and last.startswith("extract_") and last.removeprefix("extract_") in DATE_PARTS:
        return tuple(rest), None, last.removeprefix("extract_")
    return path, grain, None


def item_of(
    catalog: Catalog,
    facts: tuple[str, ...],
    path: tuple[str, ...],
    *,
    grain: str | None,
    date_part: str | None,
    default_grain: str | None,
    where: str,
) -> Item:
    """The item that a name means for all of the facts.

    Raises:
        UnknownNameError: They don't all reach such an item.
        InvalidRequestError: The name is ambiguous, the grain finer than the column's, or a join would multiply rows.
    """
    bare, named_grain, named_part = split_name(catalog, path, grain)
    date_part = date_part or named_part
    if date_part is not None and date_part not in DATE_PARTS:
        raise UnknownNameError.of("date part", date_part, DATE_PARTS, where=where)
    if bare == (METRIC_TIME,):
        wanted = None if date_part else named_grain or default_grain or "day"
        item = Item("metric_time", (), METRIC_TIME, wanted, date_part)
        _check_grain(catalog, item, None, where)
        return item
    found = catalog.resolve(facts, bare)
    if found is None and bare != path:
        # a dimension may be called like a grain
        bare, named_grain, named_part = path, None, None
        found = catalog.resolve(facts, bare)
    if found is None:
        many = catalog.behind_many_rows(facts, bare)
        if many is not None:
            raise InvalidRequestError(
                f"'{'__'.join(path)}' can't be joined: '{many}' has many rows for one {bare[-2]}, so that rows "
                "would be counted more than once",
                where=where,
                fix=f"ask for a metric of '{many}' by it, or group by {'__'.join((*bare[:-1], many, bare[-1]))}: "
                "then each row counts once in each of its groups",
            )
        raise UnknownNameError.of("dimension or entity", "__".join(path), catalog.names(facts), where=where)
    if found.kind != "time":
        if named_grain or date_part:
            raise InvalidRequestError(
                f"'{found.column}' is no time: it has no grain and no date part",
                where=where,
            )
        return found
    declared = catalog.grain_of(facts, found)
    wanted = None if date_part else named_grain or declared
    item = Item("time", found.links, found.element, wanted, date_part)
    _check_grain(catalog, item, declared, where)
    return item


def value_item(catalog: Catalog, facts: tuple[str, ...], metric: str, of: tuple[str, ...], *, where: str) -> Item:
    """The item for a metric's value: rows are grouped by what it is for their entities.

    Raises:
        UnknownNameError: There is no such metric, or not all facts have the entities.
    """
    catalog.manifest.metric(metric, where=where)
    for name in of:
        found = catalog.resolve(facts, tuple(name.split("__")))
        if found is None or found.kind != "entity":
            raise UnknownNameError.of("entity", name, catalog.names(facts), where=f"{where}: {metric} of {name}")
    return Item("metric", of, metric)


def _check_grain(catalog: Catalog, item: Item, declared: str | None, where: str) -> None:
    grain = item.grain
    if grain is None:
        return
    if not is_standard(grain) and grain not in catalog.custom_grains:
        known = ("hour", "day", "week", "month", "quarter", "year", *catalog.custom_grains)
        fix = f"use one of {', '.join(known)}"
        raise UnknownNameError.of("grain", grain, (*GRAINS, *catalog.custom_grains), where=where, fix=fix)
    if declared is not None and is_standard(grain) and not finer_or_same(declared, grain):
        raise InvalidRequestError(
            f"'{item.base.column}' is kept by {declared}: it can't be grouped by {grain}",
            where=where,
            fix=f"ask for {item.base.column}__{declared} or coarser",
        )


def reference_item(
    catalog: Catalog, facts: tuple[str, ...], reference: Reference, default_grain: str | None, where: str
) -> Item:
    """The item that a reference in a filter means.

    Raises:
        InvalidRequestError: Beside what `item_of` raises: it has many values for one row.
    """
    item = item_of(
        catalog,
        facts,
        reference.path,
        grain=reference.grain,
        date_part=reference.date_part,
        default_grain=default_grain,
        where=where,
    )
    if any(catalog.is_many(fact, item) for fact in facts):
        raise InvalidRequestError(
            f"'{item.column}' has many values for one row of '{facts[0]}', so a filter can't look at it",
            where=where,
            fix="compare a metric with {{ Metric('name', group_by=['entity']) }}, or group by it",
        )
    return item


def items_in(catalog: Catalog, fact: str, cond: Condition) -> tuple[Item, ...] | None:
    """The items of a condition as seen from a fact; None where it compares a metric too."""
    if any(r.kind == "metric" for r in cond.filter.references):
        return None
    return tuple(
        reference_item(catalog, (fact,), r, cond.default_grain, f"{cond.where}: {cond.filter.text}")
        for r in cond.filter.references
    )


def facts_of(catalog: Catalog, name: str, *, where: str = "", seen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The semantic models whose rows a metric aggregates, in the order of their use.

    Raises:
        UnknownNameError: A metric or model that is not there.
        InvalidDefinitionError: A metric is made of itself.
    """
    if name in seen:
        raise InvalidDefinitionError(f"the metric '{name}' is made of itself", where=" -> ".join((*seen, name)))
    metric = catalog.manifest.metric(name, where=where or "metrics")
    facts: dict[str, None] = {}
    if metric.aggregation is not None:
        model = catalog.manifest.model(metric.aggregation.semantic_model, where=f"metric {name}")
        facts[model.name] = None
    for inner in inputs_of(metric):
        facts |= dict.fromkeys(facts_of(catalog, inner, where=f"metric {name}", seen=(*seen, name)))
    return tuple(facts)


def inputs_of(metric: Metric) -> tuple[str, ...]:
    """The metrics by whose rows a metric is grouped: for a conversion metric, those of its base."""
    if metric.cumulative is not None:
        return (metric.cumulative.input.name,)
    if metric.conversion is not None:
        return (metric.conversion.base.name,)
    return tuple(i.name for i in metric.inputs)


def time_grain(catalog: Catalog, name: str) -> str:
    """The finest grain of metric time that a metric has: the coarsest of its parts' time dimensions."""
    metric = catalog.manifest.metric(name)
    if metric.aggregation is not None:
        model = catalog.manifest.model(metric.aggregation.semantic_model, where=f"metric {name}")
        dimension = model.dimension_by_name.get(metric.aggregation.time_dimension or "")
        return (dimension.grain or "day") if dimension is not None else "day"
    inputs = inputs_of(metric)
    if metric.conversion is not None:
        inputs = (*inputs, metric.conversion.conversion.name)
    return coarsest("nanosecond", *(time_grain(catalog, i) for i in inputs))


def default_grain(catalog: Catalog, names: Iterable[str]) -> str:
    """What a bare `metric_time` means for metrics asked for together: the coarsest of their defaults."""
    grains = []
    for name in names:
        metric = catalog.manifest.metric(name)
        grains.append(metric.time_granularity or coarsest("day", time_grain(catalog, name)))
    return coarsest("nanosecond", *(catalog.standard(g) for g in grains)) if grains else "day"
