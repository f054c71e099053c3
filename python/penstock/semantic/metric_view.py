"""A semantic model as one of Spark's metric views, as far as Spark can express it.

The view's source is the fact joined to all that its dimensions and filters need; each measure is a metric's one
definition, worked out over columns of that source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.errors import InvalidRequestError, PenstockError, nearest
from penstock.manifest.model import SemanticManifest
from penstock.semantic.catalog import Catalog, catalog_of
from penstock.semantic.combine import worked_out
from penstock.semantic.compile import context_of
from penstock.semantic.droppable import droppable_joins
from penstock.semantic.expressions import all_of, found_parts
from penstock.semantic.known import known_of
from penstock.semantic.leaves import Leaf, Leaves
from penstock.semantic.metric_yaml import yaml_of
from penstock.semantic.names import METRIC_TIME, Item, finer_or_same
from penstock.semantic.plain import aggregated
from penstock.semantic.plan import Output
from penstock.semantic.render import render
from penstock.semantic.request import GroupBy, MetricRequest, normalized
from penstock.semantic.resolve import default_grain, facts_of, item_of
from penstock.semantic.scope import Scope
from penstock.semantic.stage import Stage, selected

_WHERE = "penstock.metric_view"
_GRAINS = ("hour", "day", "week", "month", "quarter", "year")


@dataclass(frozen=True)
class MetricView:
    """One metric view.

    Args:
        yaml: Its definition, for `CREATE VIEW … WITH METRICS LANGUAGE YAML AS $$…$$`.
        dimensions: The names of its dimensions, as the columns of an answer have them.
        metrics: The metrics that are its measures, under their own names.
        comments: The description of each dimension and measure that has one.
        node_ids: dbt's unique ids of the tables that it reads, where known.
    """

    yaml: str
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    comments: Mapping[str, str]
    node_ids: tuple[str, ...]


def metric_view(
    manifest: SemanticManifest, model: str, *, metrics: tuple[str, ...] = (), dimensions: tuple[str, ...] = ()
) -> MetricView:
    """The metric view of a semantic model.

    Args:
        manifest: The project's definitions.
        model: The semantic model whose rows are measured.
        metrics: The measures; without any, every metric that can be one.
        dimensions: Group-by items as in a request; without any, every item that is reached without a fan-out, time by
            every standard grain.

    Raises:
        UnknownNameError: There is no such semantic model, metric or item.
        InvalidRequestError: A metric asked for can't be a measure, or none can.
        InvalidDefinitionError: A definition contradicts itself.
    """
    model, metrics = model.lower(), tuple(m.lower() for m in metrics)
    manifest.model(model, where=_WHERE)
    for name in metrics:
        manifest.metric(name, where=_WHERE)
    build = _Build(manifest, model, metrics)
    items = tuple(build.asked_items(dimensions) if dimensions else build.every_item())
    reasons = build.reasons({item.column for item in items})
    expressed = tuple(name for name, reason in reasons.items() if reason is None)
    for name, reason in reasons.items():
        if name in metrics and reason is not None:
            raise InvalidRequestError(f"'{name}' can't be in a metric view of '{model}': {reason}", where=_WHERE)
    if not expressed:
        known = [name for name in manifest.models if any(_metrics_of(build.catalog, name))]
        raise InvalidRequestError(
            f"no metric of '{model}' can be in a metric view",
            where=_WHERE,
            near=nearest(model, known) if not reasons else (),
            fix="penstock metric-views tells the reason for each" if reasons else "name a semantic model with metrics",
        )
    return build.view(items, expressed)


def reasons_against(manifest: SemanticManifest, model: str) -> dict[str, str | None]:
    """Why each metric of a semantic model can't be in its metric view; None for one that can.

    Raises:
        UnknownNameError: There is no such semantic model.
    """
    manifest.model(model, where=_WHERE)
    build = _Build(manifest, model, ())
    return build.reasons({item.column for item in build.every_item()})


def _metrics_of(catalog: Catalog, model: str) -> Iterator[str]:
    """The metrics that aggregate rows of the model, hidden ones left out; so are those whose parts aren't there."""
    for metric in catalog.manifest.metrics.values():
        try:
            if not metric.private and model in facts_of(catalog, metric.name):
                yield metric.name
        except PenstockError:
            continue


@dataclass
class _Build:
    """One view in the making.

    `time` is what `metric_time` means in it: one view has one, for its rows are the same for all of its measures.
    """

    manifest: SemanticManifest
    model: str
    asked: tuple[str, ...]
    time: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.catalog = catalog_of(self.manifest)
        found = {leaf.aggregation.time_dimension: None for name in self._names() for leaf in self._own_leaves(name)}
        default = self.manifest.model(self.model).time_dimension
        self.time = default if default in found or not found else next(iter(found))

    def _names(self) -> tuple[str, ...]:
        return self.asked or tuple(_metrics_of(self.catalog, self.model))

    def _own_leaves(self, metric: str) -> list[Leaf]:
        """The leaves over this model's rows, of a metric that is well defined."""
        leaves = Leaves(self.catalog)
        try:
            leaves.metric(metric, ())
        except PenstockError:
            return []
        return [leaf for leaf in leaves.found if leaf.aggregation.semantic_model == self.model]

    def every_item(self) -> Iterator[Item]:
        """Metric time and all that the fact reaches, time by each standard grain that its column has."""
        own = self.manifest.model(self.model).dimension_by_name.get(self.time or "")
        if own is not None:
            yield from (Item("metric_time", (), METRIC_TIME, g) for g in _grains_from(own.grain or "day"))
        for item in self.catalog.reachable(self.model):
            if item.kind == "time":
                grains = _grains_from(self.catalog.grain_of((self.model,), item))
                yield from (Item("time", item.links, item.element, g) for g in grains)
            else:
                yield item

    def asked_items(self, names: tuple[str, ...]) -> Iterator[Item]:
        request = normalized(self.manifest, MetricRequest(group_by=names))
        grain = default_grain(self.catalog, self._names())
        found: dict[Item, None] = {}
        for given in request.group_by:
            assert isinstance(given, GroupBy)
            item = item_of(
                self.catalog,
                (self.model,),
                tuple(given.name.split("__")),
                grain=given.grain,
                date_part=given.date_part,
                default_grain=grain,
                where=_WHERE,
            )
            found[item] = None
        yield from found

    def reasons(self, taken: set[str]) -> dict[str, str | None]:
        """Why each metric can't be a measure beside dimensions of these names; None where it can."""
        return {name: self._reason(name, taken) for name in self._names()}

    def _reason(self, name: str, taken: set[str]) -> str | None:
        if name in taken:
            return "a dimension of the view has its name"
        leaves = Leaves(self.catalog)
        try:
            value = leaves.metric(name, ())
            for leaf in leaves.found:
                reason = self._leaf_reason(leaf)
                if reason is not None:
                    return reason
            if _differs_without_groups(value, leaves.found):
                return "where no row passes its filter, an answer has a value for it, but a group has none"
            scope = self._scope()
            for leaf in leaves.found:
                _tested_value(scope, leaf)
        except PenstockError as wrong:
            return wrong.what
        return None

    def _leaf_reason(self, leaf: Leaf) -> str | None:
        spec = leaf.aggregation
        if spec.semantic_model != self.model:
            return f"it needs rows of '{spec.semantic_model}'"
        if leaf.conversion is not None:
            return "it is a conversion: it pairs events with later ones"
        if leaf.running is not None:
            return "it is cumulative: it adds up rows from outside of a group"
        if leaf.shifts:
            return "it is offset in time: it looks at rows from outside of a group"
        if leaf.to_spine:
            return "it has a value for times without rows (join_to_timespine)"
        if spec.non_additive is not None:
            return f"it is semi-additive: it takes the rows of one {spec.non_additive.dimension} in each group"
        if leaf.known is not None and leaf.known != known_of(self.manifest.model(self.model), None, None):
            return "its versions are known at other times than those of its semantic model"
        if spec.time_dimension != self.time:
            return (
                f"its metric_time is {spec.time_dimension}, that of the view is {self.time}: give it a view of its own"
            )
        return None

    def _scope(self) -> Scope:
        return Scope(context_of(self.manifest), self.model, self.time)

    def view(self, items: tuple[Item, ...], metrics: tuple[str, ...]) -> MetricView:
        """The view of these dimensions and measures."""
        scope = self._scope()
        leaves = Leaves(self.catalog)
        outputs = tuple(Output(name, leaves.metric(name, ())) for name in metrics)
        source = _Source({item.column: scope.item(item) for item in items})
        values = {}
        for leaf, column in leaves.found.items():
            value, test = _tested_value(scope, leaf)
            own_value = source.column(f"{column}__value", value)
            own_test = source.column(f"{column}__filter", test) if test is not None else None
            values[column] = aggregated(leaf, own_value, own_test, None)
        dimensions = tuple(item.column for item in items)
        stage = Stage(scope.rows(), {d: exp.column(d) for d in dimensions}, values, grouped=True)
        measures = worked_out(stage, outputs)
        return MetricView(
            yaml=yaml_of(
                source=render(droppable_joins(selected(stage.rows, source.columns)), "spark"),
                dimensions={name: render(value, "spark") for name, value in stage.keys.items()},
                measures={name: render(value, "spark", pretty=False) for name, value in measures.items()},
            ),
            dimensions=dimensions,
            metrics=metrics,
            comments=self._comments(items, metrics),
            node_ids=tuple(scope.context.reads.nodes),
        )

    def _comments(self, items: tuple[Item, ...], metrics: tuple[str, ...]) -> dict[str, str]:
        found = {item.column: self._description(item) for item in items}
        found |= {name: self.manifest.metric(name).description for name in metrics}
        return {name: text for name, text in found.items() if text}

    def _description(self, item: Item) -> str:
        if item.kind == "metric_time":
            return self.manifest.model(self.model).dimension_by_name[self.time or ""].description
        place = self.catalog.place(self.model, item.links, item.element)
        assert place is not None, f"{item} was found from another fact"
        model = self.manifest.model(place.model)
        if item.kind == "entity":
            return model.entity_by_name[item.element].description
        return model.dimension_by_name[item.element].description


@dataclass
class _Source:
    """The columns of the source: the dimensions, and beside them what the measures are made of."""

    columns: dict[str, exp.Expr]

    def column(self, name: str, value: exp.Expr) -> exp.Expr:
        """A column with this value: one that is there, or a new one under the name or one like it.

        A measure sees the view's dimensions before the columns of the source, so that all names have to differ.
        """
        same = next((known for known, other in self.columns.items() if other == value), None)
        if same is not None:
            return exp.column(same)
        free, count = name, 1
        while free in self.columns:
            count += 1
            free = f"{name}_{count}"
        self.columns[free] = value
        return exp.column(free)


def _tested_value(scope: Scope, leaf: Leaf) -> tuple[exp.Expr, exp.Expr | None]:
    """A row's value for the leaf, and whether the leaf's filters let the row through."""
    tests = {scope.condition(condition): None for condition in (*leaf.own, *leaf.extra)}
    return scope.value(leaf.aggregation.expr, f"metric {leaf.metric}"), all_of(tests)


def _differs_without_groups(value: exp.Expr, leaves: Mapping[Leaf, str]) -> bool:
    """Whether a metric is not NULL over no rows, and filtered: a measure can't know whether it is asked by groups.

    Without groups, such a metric has that value where no row passes; in a group it is NULL there.
    """
    filtered = {column for leaf, column in leaves.items() if leaf.own or leaf.extra}
    if any(
        aggregate(leaf.aggregation.agg).over_nothing is not None
        for leaf, column in leaves.items()
        if column in filtered
    ):
        return True
    marked = (found_parts(node) for node in value.find_all(exp.Anonymous))
    return any(parts is not None and filtered.issuperset(parts[1]) for parts in marked)


def _grains_from(declared: str) -> tuple[str, ...]:
    coarser = (g for g in _GRAINS if g != declared and finer_or_same(declared, g))
    return (declared, *coarser)
