"""A metric as an expression over leaves: aggregations of one fact, each with its filters and its shifts in time.

Ratios and derived metrics, however nested, come out as one expression; equal leaves are one leaf.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.manifest.model import Aggregation, Metric, MetricInput, Window
from penstock.semantic.calculations import Ago, Calculation, Change, Over
from penstock.semantic.catalog import Catalog
from penstock.semantic.expressions import if_found, ratio, user_expression
from penstock.semantic.known import Known, known_of
from penstock.semantic.names import GRAINS
from penstock.semantic.resolve import Condition, condition, default_grain


@dataclass(frozen=True)
class Shift:
    """A move in time: the value at t is that of `window` before t, or of the start of t's `to_grain`.

    `conditions` are the filters that look at the moved value, and so at the time after the move.
    """

    window: Window | None
    to_grain: str | None
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Running:
    """A cumulative metric's range: what lies within `window` before a moment, or since its `grain_to_date` began.

    `period_agg` tells which moments a longer period shows: its `first` or `last` with a value, the `average` of all, or
    the range that ends with the period (`end`).
    """

    window: Window | None
    grain_to_date: str | None
    period_agg: str


@dataclass(frozen=True)
class ConversionOf:
    """The other side of a conversion: which rows of another fact count for the base event before them."""

    aggregation: Aggregation
    entity: str
    window: Window | None
    constant_properties: tuple[tuple[str, str], ...]
    metric: str
    conditions: tuple[Condition, ...]
    known: Known | None = None


@dataclass(frozen=True)
class Leaf:
    """One aggregation.

    Args:
        metric: The simple metric that defines it; also the stem of its column.
        aggregation: What is aggregated.
        own: The simple metric's own filters.
        extra: The filters of what uses it, but for those that wait for a shift.
        shifts: The moves in time, the innermost first.
        running: The range, where it is cumulative.
        to_spine: Whether moments without rows are returned too.
        fill: What stands for NULL.
        conversion: Set where rows of another fact are counted for these rows.
        known: Which rows count, where the request asks about what was known at a moment, or rows are versions.
    """

    metric: str
    aggregation: Aggregation
    own: tuple[Condition, ...] = ()
    extra: tuple[Condition, ...] = ()
    shifts: tuple[Shift, ...] = ()
    running: Running | None = None
    to_spine: bool = False
    fill: int | float | None = None
    conversion: ConversionOf | None = None
    known: Known | None = None


@dataclass
class Leaves:
    """Collects the leaves of all metrics of a request.

    Args:
        catalog: Where things are.
        known_at: The moment whose knowledge is asked for; None for all that there is.
    """

    catalog: Catalog
    known_at: dt.datetime | None = None
    found: dict[Leaf, str] = field(default_factory=dict)

    def metric(self, name: str, conditions: tuple[Condition, ...], calculation: Calculation | None = None) -> exp.Expr:
        """The metric as an expression in which each leaf stands as a column by its name.

        Args:
            name: The metric asked for.
            conditions: The filters of the request.
            calculation: How it is looked at; a `Share` is put together elsewhere, from the metric at two grains.

        Raises:
            UnknownNameError: A metric, or a name in a derived metric's expression, is not there.
            InvalidDefinitionError: A metric's expression or inputs make no sense.
            InvalidRequestError: The metric can't be looked at in this way.
        """
        metric = self.catalog.manifest.metric(name, where="metrics")
        if isinstance(calculation, Over):
            running = Running(self._window(name, calculation.window), self._grain(name, calculation.to_date), "end")
            return self._visit(metric, conditions, (), running)
        now = None if isinstance(calculation, Ago) else self._visit(metric, conditions, ())
        if isinstance(calculation, (Ago, Change)):
            window = self._window(name, calculation.window)
            before = self._visit(metric, (), (Shift(window, None, conditions),))
            if now is None:
                return before
            change = exp.Sub(this=_operand(now), expression=_operand(before))
            relative = isinstance(calculation, Change) and calculation.relative
            return if_found(ratio(change, before) if relative else change)
        assert now is not None
        return now

    def _window(self, name: str, window: Window | None) -> Window | None:
        return window and replace(window, grain=self._grain(name, window.grain) or window.grain)

    def _grain(self, name: str, grain: str | None) -> str | None:
        known = (*GRAINS, *self.catalog.custom_grains)
        if grain is not None and grain not in known:
            raise UnknownNameError.of("grain", grain, known, where=f"metrics: {name}")
        return grain

    def column(self, leaf: Leaf) -> str:
        """The name of a leaf's column: its metric's, with a number where several leaves have that metric."""
        if leaf not in self.found:
            taken = set(self.found.values())
            name, count = leaf.metric, 1
            while name in taken:
                count += 1
                name = f"{leaf.metric}_{count}"
            self.found[leaf] = name
        return self.found[leaf]

    def _visit(
        self,
        metric: Metric,
        conditions: tuple[Condition, ...],
        shifts: tuple[Shift, ...],
        running: Running | None = None,
    ) -> exp.Expr:
        own = self._conditions(metric.name, metric.filters)
        if metric.aggregation is not None:
            if running is not None and metric.aggregation.non_additive is not None:
                raise _not_over(metric, "is taken at one moment of a period")
            return self._leaf(replace(self._simple(metric, own, conditions, shifts), running=running))
        if running is not None and (metric.cumulative is not None or metric.conversion is not None):
            raise _not_over(metric, f"is {metric.type}")
        if metric.cumulative is not None:
            return self._cumulative(metric, (*own, *conditions), shifts)
        if metric.conversion is not None:
            return self._conversion(metric, (*own, *conditions), shifts)
        parts = [self._input(metric, i, (*own, *conditions), shifts, running) for i in metric.inputs]
        if metric.type == "ratio":
            numerator, denominator = parts
            return if_found(ratio(numerator, denominator))
        return if_found(self._derived(metric, parts))

    def _input(
        self,
        user: Metric,
        given: MetricInput,
        conditions: tuple[Condition, ...],
        shifts: tuple[Shift, ...],
        running: Running | None,
    ) -> exp.Expr:
        metric = self.catalog.manifest.metric(given.name, where=f"metric {user.name}")
        conditions = (*conditions, *self._conditions(given.name, given.filters, user=user.name))
        if given.offset_window is None and given.offset_to_grain is None:
            return self._visit(metric, conditions, shifts, running)
        # a filter looks at the value after the move, so it must not reach what lies before it
        shift = Shift(given.offset_window, given.offset_to_grain, conditions)
        return self._visit(metric, (), (shift, *shifts), running)

    def _derived(self, metric: Metric, parts: list[exp.Expr]) -> exp.Expr:
        where = f"metric {metric.name}"
        if not metric.expr:
            raise InvalidDefinitionError(f"the derived metric '{metric.name}' has no expression", where=where)
        by_name = {(i.alias or i.name): part for i, part in zip(metric.inputs, parts, strict=True)}
        tree = user_expression(metric.expr, where=where)

        def fill(node: exp.Expr) -> exp.Expr:
            if not isinstance(node, exp.Column):
                return node
            name = node.name.lower()
            if name not in by_name:
                raise UnknownNameError.of("input", node.name, by_name, where=f"{where}: {metric.expr}")
            return _operand(by_name[name])

        return tree.transform(fill, copy=False)

    def _simple(
        self, metric: Metric, own: tuple[Condition, ...], extra: tuple[Condition, ...], shifts: tuple[Shift, ...]
    ) -> Leaf:
        assert metric.aggregation is not None
        return Leaf(
            metric=metric.name,
            aggregation=metric.aggregation,
            own=own,
            extra=extra,
            shifts=shifts,
            to_spine=metric.join_to_timespine,
            fill=metric.fill_nulls_with,
            known=self._known(metric),
        )

    def _known(self, metric: Metric) -> Known | None:
        assert metric.aggregation is not None
        model = self.catalog.manifest.model(metric.aggregation.semantic_model, where=f"metric {metric.name}")
        return known_of(model, metric, self.known_at)

    def _cumulative(self, metric: Metric, conditions: tuple[Condition, ...], shifts: tuple[Shift, ...]) -> exp.Expr:
        assert metric.cumulative is not None
        source = self._simple_input(metric, metric.cumulative.input)
        own = self._conditions(source.name, source.filters)
        extra = (*conditions, *self._conditions(source.name, metric.cumulative.input.filters, user=metric.name))
        running = Running(metric.cumulative.window, metric.cumulative.grain_to_date, metric.cumulative.period_agg)
        return self._leaf(replace(self._simple(source, own, extra, shifts), metric=metric.name, running=running))

    def _conversion(self, metric: Metric, conditions: tuple[Condition, ...], shifts: tuple[Shift, ...]) -> exp.Expr:
        spec = metric.conversion
        assert spec is not None
        if shifts:
            raise InvalidDefinitionError("a conversion metric can't be offset", where=f"metric {metric.name}")
        base_metric = self._simple_input(metric, spec.base)
        conversion_metric = self._simple_input(metric, spec.conversion)
        assert conversion_metric.aggregation is not None
        own = self._conditions(base_metric.name, base_metric.filters)
        extra = (*conditions, *self._conditions(base_metric.name, spec.base.filters, user=metric.name))
        base = self._simple(base_metric, own, extra, ())
        of = ConversionOf(
            aggregation=conversion_metric.aggregation,
            entity=spec.entity,
            window=spec.window,
            constant_properties=spec.constant_properties,
            metric=conversion_metric.name,
            conditions=(
                *self._conditions(conversion_metric.name, conversion_metric.filters),
                *self._conditions(conversion_metric.name, spec.conversion.filters, user=metric.name),
            ),
            known=self._known(conversion_metric),
        )
        converted = replace(
            base,
            metric=conversion_metric.name,
            conversion=of,
            to_spine=conversion_metric.join_to_timespine,
            fill=conversion_metric.fill_nulls_with,
        )
        conversions = self._leaf(converted)
        opportunities = self._leaf(base)
        if spec.calculation == "conversions":
            # base events without a conversion make a row too
            return if_found(conversions, opportunities)
        return if_found(ratio(conversions, opportunities))

    def _simple_input(self, user: Metric, given: MetricInput) -> Metric:
        metric = self.catalog.manifest.metric(given.name, where=f"metric {user.name}")
        if metric.aggregation is None:
            raise InvalidDefinitionError(
                f"the {user.type} metric '{user.name}' needs a simple metric as its input, and '{metric.name}' is "
                f"{metric.type}",
                where=f"metric {user.name}",
            )
        return metric

    def _leaf(self, leaf: Leaf) -> exp.Expr:
        self.catalog.manifest.model(leaf.aggregation.semantic_model, where=f"metric {leaf.metric}")
        column = exp.column(self.column(leaf))
        if leaf.fill is None or leaf.running is not None:
            return column  # a running total is filled where it is made, before periods are put together
        return exp.Coalesce(this=column, expressions=[exp.Literal.number(leaf.fill)])

    def _conditions(self, name: str, filters: tuple[str, ...], user: str | None = None) -> tuple[Condition, ...]:
        where = f"metric {user or name}, filter"
        return tuple(condition(text, default_grain(self.catalog, (name,)), where) for text in filters)


def _operand(value: exp.Expr) -> exp.Expr:
    return value.copy() if isinstance(value, exp.Column) else exp.Paren(this=value.copy())


def _not_over(metric: Metric, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"'{metric.name}' {why}, so it can't be had over a range of time",
        where=f"metrics: {metric.name}",
        fix="ask for a metric that adds up rows",
    )
