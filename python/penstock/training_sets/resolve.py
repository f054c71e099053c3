"""Features to values: what has to be computed, once each, and every feature as an expression over that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.aggregates import aggregate
from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.semantic.catalog import Catalog, catalog_of, validity
from penstock.semantic.context import Context, no_metric_rows, relation_table
from penstock.semantic.expressions import all_of, found_parts, user_expression, when
from penstock.semantic.knowledge import declares, knowledge_of, tie_break_of, versions_of
from penstock.semantic.leaves import Leaf, Leaves
from penstock.semantic.reads import Reads
from penstock.semantic.resolve import Condition, facts_of, inputs_of, items_in
from penstock.semantic.scope import Scope
from penstock.semantic.versions import next_known, not_deleted, version_key
from penstock.training_sets.features import ColumnFeature, MetricFeature
from penstock.training_sets.keys import columns_of, one_key, parts_of_key
from penstock.training_sets.kinds import declared_types
from penstock.training_sets.knowledge import Clock, clock_of
from penstock.training_sets.labels import Label, Matured, settling_time, window_ahead
from penstock.training_sets.request import CompiledFeature, TrainingSetRequest
from penstock.training_sets.shapes import Choice, choose, shapes_of
from penstock.training_sets.sql import qualified, user_column
from penstock.training_sets.values import LookUp, Newest, Total, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.manifest.model import Metric, SemanticManifest, SemanticModel
    from penstock.semantic.knowledge import Versions
    from penstock.semantic.request import Dialect


@dataclass(frozen=True)
class ResolvedFeature:
    """A feature as an expression over columns that are called as the values are."""

    compiled: CompiledFeature
    value: exp.Expr


@dataclass
class Resolver:
    """Collects the values of all features of a request."""

    manifest: SemanticManifest
    request: TrainingSetRequest
    dialect: Dialect
    values: dict[Value, str] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads)
    matured: list[Matured] = field(default_factory=list)
    choices: dict[Total, Choice] = field(default_factory=dict)

    def feature(self, wanted: MetricFeature | ColumnFeature) -> ResolvedFeature:
        """The feature over columns of values.

        Raises:
            UnknownNameError: It names a thing that is not there.
            InvalidRequestError: It has no answer as of a time.
            InvalidDefinitionError: What it names contradicts itself, or does not say when it is known.
        """
        where = f"feature '{wanted.text}'"
        self._check_key(wanted.entity, where)
        return self._resolved(
            wanted, self._metric(wanted, where) if isinstance(wanted, MetricFeature) else self._column(wanted, where)
        )

    def label(self, wanted: Label) -> ResolvedFeature:
        """The label over columns of values; what it waits for is noted in `matured`. Errors are those of `feature`."""
        where = f"label '{wanted.text}'"
        self._check_key(wanted.entity, where)
        tree, leaves = self._leaves(wanted.metric, where)
        window = window_ahead(wanted, inclusive=self.request.inclusive)
        asked = MetricFeature(wanted.text, wanted.name, wanted.entity, wanted.metric, window, wanted.by)
        totals = {name: self._total(leaf, asked, where) for name, leaf in leaves.items()}
        settles = settling_time(wanted, (total.clock for total in totals.values()))
        after = wanted.horizon.microseconds + settles
        finished: dict[str, exp.Expr] = {}
        for name, total in totals.items():
            self.matured.append(Matured(total.model, total.clock, after))
            later = replace(total, clock=replace(total.clock, settles=settles), asked_after=after)
            self.choices[later] = self.choices[total]
            finished[name] = self._finished(later)
        return self._resolved(wanted, _replaced(tree, finished))

    def _check_key(self, entity: str, where: str) -> None:
        entities = self.request.spine.entities
        if entity not in entities:
            raise UnknownNameError.of(
                "entity", entity, entities, where=where, fix="give its column in the spine's entities"
            )

    def _resolved(self, wanted: MetricFeature | ColumnFeature | Label, found: exp.Expr) -> ResolvedFeature:
        columns = {c.name for c in found.find_all(exp.Column)}
        values = [v for v, name in self.values.items() if name in columns]
        shapes = tuple(dict.fromkeys(v.shape for v in values))
        choices = {str(c): c for c in (self.choices[v] for v in values if isinstance(v, Total))}
        return ResolvedFeature(CompiledFeature(wanted.name, wanted.text, shapes, tuple(choices.values())), found)

    def scope(self, model: SemanticModel, time_dimension: str | None = None) -> Scope:
        """Expressions over the rows of a model."""
        return Scope(self._context(), model.name, time_dimension)

    def _context(self) -> Context:
        return Context(catalog_of(self.manifest), self.dialect, self.reads, no_metric_rows)

    def rows(self, model: SemanticModel) -> exp.Select:
        """All rows of a model under its name, versions that are superseded too; nothing selected yet."""
        self.reads.model(model)
        return exp.Select().from_(exp.alias_(relation_table(model.relation), model.name, table=True), copy=False)

    def key(self, model: SemanticModel, entity: str) -> exp.Expr:
        """The key of an entity in the rows of a model."""
        return one_key(self.key_parts(model, entity))

    def key_parts(self, model: SemanticModel, entity: str) -> list[exp.Expr]:
        """The columns of that key, or the expressions in their place."""
        where = f"entity {model.name}.{entity}"
        return parts_of_key(user_expression(model.entity_by_name[entity].expr, where=where, table=model.name))

    def _column_of(self, value: Value) -> exp.Expr:
        return exp.column(self.values.setdefault(value, f"_value_{len(self.values)}"))

    def _metric(self, wanted: MetricFeature, where: str) -> exp.Expr:
        tree, leaves = self._leaves(wanted.metric, where)
        totals = {name: self._total(leaf, wanted, where) for name, leaf in leaves.items()}
        return _replaced(tree, {name: self._finished(total) for name, total in totals.items()})

    def _leaves(self, metric: str, where: str) -> tuple[exp.Expr, dict[str, Leaf]]:
        """A metric as an expression over its simple parts, and those by their names in it."""
        self.manifest.metric(metric, where=where)
        catalog = catalog_of(self.manifest)
        facts_of(catalog, metric, where=where)
        self._check_parts(metric, where)
        leaves = Leaves(catalog)
        tree = leaves.metric(metric, ())
        return tree, {name: leaf for leaf, name in leaves.found.items()}

    def _finished(self, total: Total) -> exp.Expr:
        """The value, where rows of nothing leave no trace too: a distinct count is 0 then."""
        column = self._column_of(total)
        if total.law.over_nothing is None:
            return column
        return exp.Coalesce(this=column, expressions=[exp.Literal.number(total.law.over_nothing)])

    def _check_parts(self, name: str, where: str) -> None:
        metric = self.manifest.metric(name, where=where)
        if metric.type in ("cumulative", "conversion"):
            raise InvalidRequestError(
                f"the {metric.type} metric '{name}' has a range of time of its own, which can't be seen as of each row",
                where=where,
                fix="ask for the metric it is made of, over the length that you want",
            )
        if metric.aggregation is None and declares(metric.meta):
            raise InvalidDefinitionError(
                f"'{name}' is {metric.type}: it is known when its inputs are",
                where=f"metric {name}, meta.penstock",
                fix="declare known_at or delay on the simple metrics",
            )
        for given in metric.inputs:
            if given.offset_window is not None or given.offset_to_grain is not None:
                raise InvalidRequestError(
                    f"'{name}' moves '{given.name}' in time, which is not defined over a window before each row",
                    where=where,
                    fix="ask for the windows that you want one by one",
                )
        for inner in inputs_of(metric):
            self._check_parts(inner, where)

    def _total(self, leaf: Leaf, wanted: MetricFeature, where: str) -> Total:
        metric = self.manifest.metric(leaf.metric, where=where)
        spec = leaf.aggregation
        model = self.manifest.model(spec.semantic_model, where=f"metric {metric.name}")
        self._check_entity(model, wanted.entity, f"{where}, metric {metric.name}")
        if spec.non_additive is not None:
            raise InvalidRequestError(
                f"'{metric.name}' takes one row of each period of '{spec.non_additive.dimension}', "
                "which is not defined over a window before each row",
                where=where,
                fix="ask for the newest value of the column",
            )
        if spec.time_dimension is None:
            raise InvalidDefinitionError(
                f"'{metric.name}' has no event time",
                where=f"metric {metric.name}",
                fix="give its semantic model an agg_time_dimension",
            )
        scope = self.scope(model, spec.time_dimension)
        versions = versions_of(model)
        there = not_deleted(model, versions, model.name) if versions else None
        conditions = [self._condition(scope, c, where) for c in (*leaf.own, *leaf.extra)]
        test = all_of(conditions if there is None else [there, *conditions])
        bare = scope.value(spec.expr, f"metric {metric.name}")
        clock = self._clock(model, scope.time(), metric)
        types = declared_types(self.request.types, model.relation.name) or {}
        windowed = wanted.window is not None
        law = aggregate(spec.agg)
        found = shapes_of(law, bare, clock, types, windowed=windowed, dialect=self.dialect, where=where)
        choice = choose(found, wanted.by, where=where)
        total = Total(model.name, wanted.entity, when(test, bare), spec, clock, wanted.window, choice.shape)
        self.choices[total] = choice
        return total

    def _condition(self, scope: Scope, condition: Condition, where: str) -> exp.Expr:
        items = items_in(self._catalog(), scope.model.name, condition)
        if items is None:
            raise InvalidRequestError(
                "a filter that compares a metric can't be seen as of each row",
                where=f"{where}, {condition.where}: {condition.filter.text}",
            )
        for item in items:
            place = self._catalog().place(scope.model.name, item.links, item.element)
            custom = item.grain is not None and item.grain in self._catalog().custom_grains
            if custom or (item.kind != "metric_time" and (place is None or place.hops)):
                raise InvalidRequestError(
                    f"the filter is on '{item.column}', which is not in '{scope.model.name}' itself, and it is not "
                    "known since when it has been what it is",
                    where=f"{where}, {condition.where}: {condition.filter.text}",
                    fix="bring the column into the fact's model",
                )
        return scope.condition(condition)

    def _column(self, wanted: ColumnFeature, where: str) -> exp.Expr:
        model = self.manifest.model(wanted.model, where=where)
        self._check_entity(model, wanted.entity, where)
        value = self._value_of(model, wanted.column, where)
        scope = self.scope(model)
        knowledge = knowledge_of(model)
        if knowledge.always:
            return self._column_of(self._look_up(model, wanted, value, where))
        ends = validity(model)
        time = model.time_dimension or next((d.name for d in model.dimensions if d.validity == "start"), None)
        if time is None or time not in model.dimension_by_name:
            raise InvalidDefinitionError(
                "it has no event time, so which of its rows is the newest is not defined",
                where=f"{where}, semantic model {model.name}",
                fix="give it an agg_time_dimension, or known_at: always if its attributes never change",
            )
        event = scope.value(model.dimension_by_name[time].expr, f"dimension {model.name}.{time}")
        clock = self._clock(model, event)
        if ends and clock.known_at is not None:
            raise InvalidRequestError(
                f"'{model.name}' holds rows that are valid for a time, and an expression for known_at does not say "
                "when the end of a row is known",
                where=where,
                fix="declare a delay, which goes for both ends",
            )
        versions = versions_of(model)
        if versions is not None:
            if ends:
                raise InvalidRequestError(
                    f"'{model.name}' holds rows that are valid for a time, and versions of them: which row is valid "
                    "by what was known then is not worked out",
                    where=where,
                    fix="declare its validity without version_of, each change as a row of its own",
                )
            return self._column_of(self._newest_version(model, versions, wanted, value, clock))
        until = scope.value(ends[1], f"semantic model {model.name}, validity") if ends else None
        tie_breaks = (qualified(tie_break_of(model), model.name),)
        return self._column_of(Newest(model.name, wanted.entity, value, clock, tie_breaks, until, wanted.within))

    def _newest_version(
        self, model: SemanticModel, versions: Versions, wanted: ColumnFeature, value: exp.Expr, clock: Clock
    ) -> Newest:
        """The newest value where rows have versions: by one pass if these are of the entity itself, else from the rows.

        Of other things, the newest may be moved in time or deleted, and then it is another one that was there before.
        """
        assert clock.superseded is not None
        thing = version_key(model, versions, model.name)
        there = not_deleted(model, versions, model.name)
        declared = (
            ()
            if versions.tie_break is None
            else (
                user_expression(versions.tie_break, where=f"semantic model {model.name}, tie_break", table=model.name),
            )
        )
        if thing == [self.key(model, wanted.entity)]:
            # without a tie-break no two are known at one time, and that is looked at by what fails where they are
            ties = declared or (clock.superseded,)
            value = when(there, value)
            return Newest(model.name, wanted.entity, value, clock, ties, None, wanted.within, last_known=True)
        ties = (*declared, *thing)
        return Newest(model.name, wanted.entity, value, clock, ties, None, wanted.within, "rows", there)

    def _look_up(self, model: SemanticModel, wanted: ColumnFeature, value: exp.Expr, where: str) -> LookUp:
        if wanted.within is not None:
            raise InvalidRequestError(
                f"'{model.name}' is timeless (known_at: always), so its values have no age",
                where=where,
                fix="drop the 'within'",
            )
        kind = model.entity_by_name[wanted.entity].type
        if kind not in ("primary", "unique"):
            raise InvalidRequestError(
                f"'{wanted.entity}' is a {kind} entity of '{model.name}', so one key may have many rows",
                where=where,
                fix="look the attribute up by a primary or unique entity, or declare when its rows are known",
            )
        return LookUp(model.name, wanted.entity, value)

    def _value_of(self, model: SemanticModel, name: str, where: str) -> exp.Expr:
        lower = name.lower()
        named = model.dimension_by_name.get(lower) or model.entity_by_name.get(lower)
        if named is not None:
            return user_expression(named.expr, where=f"{model.name}.{lower}", table=model.name)
        declared = declared_types(self.request.types, model.relation.name)
        if declared is not None and lower not in declared:
            raise UnknownNameError.of("column", name, {*declared, *model.dimension_by_name}, where=where)
        return user_column(name, table=model.name)

    def _clock(self, model: SemanticModel, event: exp.Expr, metric: Metric | None = None) -> Clock:
        clock = clock_of(model, event, metric)
        versions = versions_of(model)
        if versions is None:
            return clock
        after = next_known(model, versions, clock.known_time(self.dialect), model.name, self.dialect)
        return replace(clock, superseded=after)

    def _check_entity(self, model: SemanticModel, entity: str, where: str) -> None:
        if entity not in model.entity_by_name:
            raise UnknownNameError.of(
                "entity",
                entity,
                model.entity_by_name,
                where=f"{where}, semantic model {model.name}",
                fix=f"'{model.name}' has the entities {', '.join(model.entity_by_name) or '(none)'}",
            )
        parts, columns = self.key_parts(model, entity), columns_of([self.request.spine.entities[entity]])
        if len(parts) != len(columns):
            raise InvalidRequestError(
                f"the key of '{entity}' in '{model.name}' is {model.entity_by_name[entity].expr}, "
                f"and in the spine {', '.join(columns)}",
                where=where,
                fix=f"give one column of the spine for each part: entities={{'{entity}': ['…', '…']}}",
            )

    def _catalog(self) -> Catalog:
        return catalog_of(self.manifest)


def _replaced(tree: exp.Expr, by: Mapping[str, exp.Expr]) -> exp.Expr:
    """A metric over its leaves as one over values; each row has an answer, so that none asks whether it has one."""

    def value(node: exp.Expr) -> exp.Expr:
        parts = found_parts(node)
        if parts is not None:
            return _replaced(parts[0], by)
        return by[node.name].copy() if isinstance(node, exp.Column) and node.name in by else node

    return tree.copy().transform(value, copy=False)
