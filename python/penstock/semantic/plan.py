"""The logical plan: which leaves are computed together, over what, and how they are put together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.errors import InvalidRequestError
from penstock.manifest.model import NonAdditive
from penstock.semantic.calculations import Share
from penstock.semantic.catalog import Catalog, validity
from penstock.semantic.expressions import found_parts, if_found, ratio
from penstock.semantic.known import Known
from penstock.semantic.leaves import ConversionOf, Leaf, Leaves, Running, Shift
from penstock.semantic.names import Item
from penstock.semantic.request import MetricName
from penstock.semantic.resolve import Condition, items_in
from penstock.semantic.subtotals import Sets


@dataclass(frozen=True)
class TimeRange:
    """A request's time constraint: moments from `start` up to but not including `end`, ISO text."""

    start: str
    end: str


@dataclass(frozen=True)
class Shape:
    """What leaves have to have in common to be computed by one scan.

    A plain shape leaves the filters to each leaf: they become conditional aggregates. In the others the filters are
    part of the shape, since they decide which rows are seen at all.
    """

    model: str
    time_dimension: str | None
    running: Running | None = None
    shifts: tuple[Shift, ...] = ()
    to_spine: bool = False
    non_additive: NonAdditive | None = None
    conversion: ConversionOf | None = None
    own: tuple[Condition, ...] = ()
    extra: tuple[Condition, ...] = ()
    known: Known | None = None

    @property
    def plain(self) -> bool:
        return not (self.running or self.shifts or self.to_spine or self.non_additive or self.conversion)


@dataclass(frozen=True)
class Branch:
    """One scan: its shape, its leaves by column name, and the sets of keys by which it is grouped at once.

    `sets` is empty where there are no subtotals. Only a plain shape can have several. `asked` are the leaves of which
    it matters whether a group has a row of theirs.
    """

    shape: Shape
    leaves: tuple[tuple[str, Leaf], ...]
    sets: Sets = ()
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Output:
    """One output column: a metric as an expression over leaf columns."""

    name: str
    value: exp.Expr


@dataclass(frozen=True)
class QueryPlan:
    """All of one metric query, but for its order and limit.

    `totals` are plans by some of its keys, whose outputs stand beside those of each group that agrees on these keys.
    `sets` are the keys and all smaller sets of them by which subtotals are asked for; empty where none are.
    """

    keys: tuple[Item, ...]
    branches: tuple[Branch, ...]
    outputs: tuple[Output, ...]
    time_range: TimeRange | None
    totals: tuple[QueryPlan, ...] = ()
    sets: Sets = ()


def is_metric_time(catalog: Catalog, item: Item, model: str, time_dimension: str | None) -> bool:
    """Whether an item is the time by which a leaf is aggregated, under whichever of its names."""
    if item.kind == "metric_time":
        return True
    if item.kind != "time" or item.element != time_dimension:
        return False
    place = catalog.place(model, item.links, item.element)
    return place is not None and not place.hops


def plan_of(
    catalog: Catalog,
    metrics: Iterable[MetricName],
    keys: tuple[Item, ...],
    conditions: tuple[Condition, ...],
    time_range: TimeRange | None,
    shared: Mapping[Share, tuple[Item, ...]],
    sets: Sets = (),
    known_at: dt.datetime | None = None,
) -> QueryPlan:
    """Plan metrics by keys.

    Args:
        catalog: Where things are.
        metrics: What is asked for.
        keys: The group-by items.
        conditions: The filters of the request.
        time_range: Its time constraint.
        shared: The keys within which each `Share` is meant.
        sets: The keys and all smaller sets of them by which subtotals are asked for; empty where none are.
        known_at: The moment whose knowledge is asked for.

    Raises:
        InvalidRequestError: A metric looks at other times without a time to group by, or a share's whole is not there
            in a subtotal.
    """
    leaves = Leaves(catalog, known_at)
    outputs: list[Output] = []
    totals: dict[tuple[Item, ...], dict[str, str]] = {}
    for metric in metrics:
        value = leaves.metric(metric.name, conditions, metric.calculation)
        if isinstance(metric.calculation, Share):
            _check_kept(metric, shared[metric.calculation], sets)
            by_name = totals.setdefault(shared[metric.calculation], {})
            number = len(totals)
            column = by_name.setdefault(metric.name, f"{metric.name}__total{number if number > 1 else ''}")
            value = if_found(ratio(value, exp.column(column)))
        elif metric.calculation is not None:
            for kept in sets or (keys,):
                _check_timed(catalog, metric, leaves, value, kept)
        outputs.append(Output(metric.column, value))
    asked = asked_whether_found(outputs)
    return QueryPlan(
        keys,
        tuple(replace(b, asked=asked) for b in _branches_by_sets(catalog, leaves, keys, time_range, sets)),
        tuple(outputs),
        time_range,
        tuple(
            plan_of(catalog, [MetricName(*n) for n in by_name.items()], t, conditions, time_range, {}, (), known_at)
            for t, by_name in totals.items()
        ),
        sets,
    )


def asked_whether_found(outputs: Iterable[Output]) -> frozenset[str]:
    """The leaves of which an output asks whether they have a row."""
    return frozenset(
        column
        for output in outputs
        for node in output.value.find_all(exp.Anonymous)
        for column in (found_parts(node) or (None, ()))[1]
    )


def _check_timed(catalog: Catalog, metric: MetricName, leaves: Leaves, value: exp.Expr, keys: tuple[Item, ...]) -> None:
    used = {c.name for c in value.find_all(exp.Column)}
    for leaf, column in leaves.found.items():
        model, time = leaf.aggregation.semantic_model, leaf.aggregation.time_dimension
        if column in used and not any(is_metric_time(catalog, k, model, time) for k in keys):
            raise InvalidRequestError(
                f"'{metric.column}' looks at other times, so it has to be grouped by time",
                where=f"metrics: {metric.name}",
                fix="add metric_time to group_by",
            )


def _check_kept(metric: MetricName, within: tuple[Item, ...], sets: Sets) -> None:
    for kept in sets:
        for item in within:
            if item not in kept:
                raise InvalidRequestError(
                    f"a subtotal over all of '{item.column}' has no share within it",
                    where=f"metrics: {metric.column}",
                    fix=f"keep {item.column} in each of the subtotals",
                )


def _branches_by_sets(
    catalog: Catalog, leaves: Leaves, keys: tuple[Item, ...], time_range: TimeRange | None, sets: Sets
) -> tuple[Branch, ...]:
    """The branches; with subtotals those of each set of keys, of which most plain ones are one scan for all sets.

    Not where a key has many values for a row: in a set without that key the row counts once all the same.
    """
    whole = _branches(catalog, leaves, keys, time_range)
    if not sets:
        return whole
    at_once = [b for b in whole if b.shape.plain and not any(catalog.is_many(b.shape.model, k) for k in keys)]
    found = [replace(branch, sets=sets) for branch in at_once]
    rest = {column for branch in whole if branch not in at_once for column, _ in branch.leaves}
    for kept in sets:
        for branch in _branches(catalog, leaves, kept, time_range):
            members = tuple((column, leaf) for column, leaf in branch.leaves if column in rest)
            if members:
                found.append(Branch(branch.shape, members, (kept,)))
    return tuple(found)


def _branches(
    catalog: Catalog, leaves: Leaves, keys: tuple[Item, ...], time_range: TimeRange | None
) -> tuple[Branch, ...]:
    """Put the leaves into as few scans as possible."""
    grouped: dict[Shape, list[tuple[str, Leaf]]] = {}
    for leaf, column in leaves.found.items():
        grouped.setdefault(_shape(catalog, leaf, keys, time_range), []).append((column, leaf))
    return tuple(Branch(shape, tuple(members)) for shape, members in grouped.items())


def _shape(catalog: Catalog, leaf: Leaf, keys: tuple[Item, ...], time_range: TimeRange | None) -> Shape:
    model, time = leaf.aggregation.semantic_model, leaf.aggregation.time_dimension
    timed_keys = any(is_metric_time(catalog, k, model, time) for k in keys)
    conditions = (*leaf.own, *leaf.extra)
    timed_conditions = any(_looks_at_time(catalog, model, time, c) for c in conditions)
    # without a time a running total is the total: a moment let through by a filter is no group of its own
    running = leaf.running if timed_keys else None
    versioned = leaf.known is not None and leaf.known.versions is not None
    special = Shape(
        model=model,
        time_dimension=time,
        running=running,
        shifts=leaf.shifts,
        to_spine=leaf.to_spine and timed_keys,
        non_additive=leaf.aggregation.non_additive,
        conversion=leaf.conversion,
        known=leaf.known if versioned else None,
    )
    if special.plain:
        needs_time = (
            timed_keys
            or timed_conditions
            or time_range is not None
            or leaf.known
            or _valid_for_a_time(catalog, model, keys, conditions)
        )
        return special if needs_time else replace(special, time_dimension=None)
    if _tested_by_leaf(leaf, special):

        def timed(given: tuple[Condition, ...]) -> tuple[Condition, ...]:
            return tuple(c for c in given if _looks_at_time(catalog, model, time, c))

        return replace(special, own=timed(leaf.own), extra=timed(leaf.extra), known=leaf.known)
    return replace(special, own=leaf.own, extra=leaf.extra, known=leaf.known)


def _tested_by_leaf(leaf: Leaf, shape: Shape) -> bool:
    """Whether a leaf over time may have filters of its own, so that leaves with others are the same scan.

    Not where a group without rows that pass them would have another value than none, nor where it would be taken for
    one that has rows: for the last moment of a period, or as an offset of a running total.
    """
    if shape.to_spine or shape.non_additive is not None or shape.conversion is not None or leaf.fill is not None:
        return False
    if shape.running is not None and (shape.shifts or shape.running.period_agg != "end"):
        return False
    return aggregate(leaf.aggregation.agg).over_nothing is None


def _valid_for_a_time(catalog: Catalog, model: str, keys: tuple[Item, ...], conditions: tuple[Condition, ...]) -> bool:
    """Whether rows that hold for a time only may be joined."""
    if not catalog.has_validity:
        return False
    found = [items_in(catalog, model, c) for c in conditions]
    if any(items is None for items in found) or any(k.kind == "metric" for k in keys):
        return True  # the way to a metric's entity is not known here
    items = [*keys, *(i for some in found for i in some or ())]
    places = [catalog.place(model, i.links, i.element) for i in items if i.kind != "metric_time"]
    return any(validity(catalog.manifest.model(hop.model)) for p in places if p is not None for hop in p.hops)


def _looks_at_time(catalog: Catalog, model: str, time: str | None, condition: Condition) -> bool:
    items = items_in(catalog, model, condition)
    return items is not None and any(is_metric_time(catalog, i, model, time) for i in items)
