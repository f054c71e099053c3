"""A predictive query to requests: its label, the features as of its times, and the training set of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.manifest.model import Aggregation, Metric, MetricInput
from penstock.semantic.catalog import catalog_of
from penstock.semantic.context import Context, relation_table
from penstock.semantic.durations import Duration
from penstock.semantic.expressions import timestamp, user_expression
from penstock.semantic.reads import Reads
from penstock.semantic.render import render
from penstock.semantic.resolve import facts_of
from penstock.semantic.scope import Scope
from penstock.semantic.templates import parse_expression
from penstock.training_sets.compile import compile_training_set
from penstock.training_sets.kinds import declared_types
from penstock.training_sets.knowledge import clock_of
from penstock.training_sets.predictive import Grid, PredictiveQuery, Rows, Times, parse_predictive
from penstock.training_sets.request import Spine, TrainingSetRequest
from penstock.training_sets.sql import column, known_dialect, microseconds, not_null, user_column

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest, SemanticModel
    from penstock.semantic.request import Dialect
    from penstock.training_sets.request import CompiledTrainingSet, Types

PREDICT_AT = "predict_at"
_AGG = {"count": "sum", "avg": "average"}
_TIMES_LONGER = 4


@dataclass(frozen=True)
class Prediction:
    """What a predictive query comes to.

    Args:
        label: The rows that have a final label, with it alone.
        features: All rows with their features, as known at each one's time: what a model is asked with.
        training_set: The rows that have a final label, with features and label: what a model learns from.
    """

    label: CompiledTrainingSet
    features: CompiledTrainingSet
    training_set: CompiledTrainingSet


def compile_prediction(
    manifest: SemanticManifest,
    text: str,
    dialect: str = "spark",
    *,
    types: Types | None = None,
    labels_until: str | None = None,
) -> Prediction:
    """Compile a predictive query.

    Args:
        manifest: The project's definitions.
        text: The query; see `parse_predictive`.
        dialect: `spark` or `duckdb`.
        types: The types of columns, as in `TrainingSetRequest`.
        labels_until: The moment until which everything is known, as there.

    Raises:
        PenstockError: As for `compile_training_set`, or because the text is no predictive query.
    """
    definitions, request = predictive_request(manifest, parse_predictive(text), dialect, types)
    request = replace(request, labels_until=labels_until)
    label = replace(request, features=())
    features = replace(request, labels=(), labels_until=None)
    compiled = (compile_training_set(definitions, r, dialect) for r in (label, features, request))
    return Prediction(*compiled)


def predictive_request(
    manifest: SemanticManifest, query: PredictiveQuery, dialect: str, types: Types | None = None
) -> tuple[SemanticManifest, TrainingSetRequest]:
    """The training set of a predictive query, and the definitions with the metric that it predicts.

    Args:
        manifest: The project's definitions.
        query: The query.
        dialect: `spark` or `duckdb`.
        types: The types of columns, as in `TrainingSetRequest`.

    Raises:
        PenstockError: It names what is not there, or has no answer.
    """
    target, where = known_dialect(dialect), f"'{query.text}'"
    types = types or {}
    if isinstance(query.target, str):
        metric = manifest.metric(query.target, where=where)
    else:
        made = _metrics(manifest, query.target, types, where)
        metric = made[-1]
        manifest = replace(manifest, metrics={**manifest.metrics, **{m.name: m for m in made}})
    entity = next(iter(query.entities))
    label = f"{entity}.{metric.name} over next {_length(query.horizon)}"
    label += f" settled after {_length(query.settled)}" if query.settled else ""
    label += f" as {query.name}" if query.name else ""
    features = query.given or _own_past(entity, metric.name, query.horizon)
    if isinstance(query.at, Times):
        spine = Spine(query.at.relation, query.at.column, query.entities)
    else:
        spine = Spine(_grid(manifest, metric, entity, query.at, target, where), PREDICT_AT, {entity: entity})
    return manifest, TrainingSetRequest(spine, features, labels=(label,), types=types)


def _length(duration: Duration) -> str:
    return f"{duration.count} {duration.unit}s"


def _own_past(entity: str, metric: str, horizon: Duration) -> tuple[str, ...]:
    """Without features, the target's own past: over as long as it is predicted, and over longer."""
    longer = Duration(horizon.count * _TIMES_LONGER, horizon.unit)
    return tuple(f"{entity}.{metric} over {_length(span)}" for span in (horizon, longer))


def _metrics(manifest: SemanticManifest, rows: Rows, types: Types, where: str) -> list[Metric]:
    """The metric of an aggregate over rows, behind those that it is made of; what counts is 0 over nothing."""
    model = manifest.model(rows.model, where=where)
    test = _sql(model, rows.where, types, where) if rows.where else None
    value = _sql(model, rows.column, types, where) if rows.column else "1"
    agg = _AGG.get(rows.agg, rows.agg)
    name = "_".join(filter(None, (rows.agg, rows.model, rows.column)))
    while name in manifest.metrics:
        name += "_"
    counts = rows.agg in ("count", "exists")
    expr = value if test is None else f"CASE WHEN {test} THEN {value} END"
    aggregation = Aggregation(model.name, "sum" if counts else agg, expr, model.time_dimension)
    simple = Metric(name, "simple", aggregation=aggregation, fill_nulls_with=0 if counts else None)
    if rows.agg != "exists":
        return [simple]
    counted = replace(simple, name=f"_{name}_rows", private=True)
    given = (MetricInput(counted.name, alias="n"),)
    return [counted, Metric(name, "derived", expr="CASE WHEN n > 0 THEN 1 ELSE 0 END", inputs=given)]


def _sql(model: SemanticModel, text: str, types: Types, where: str) -> str:
    """An expression over a model's columns and dimensions as one over its columns."""
    tree = parse_expression(text, where=where)
    if tree.find(exp.AggFunc, exp.Window) is not None:
        raise InvalidRequestError(f"'{text}' is over many rows, and one row is asked about", where=where)
    declared = declared_types(types, model.relation.name)

    def own(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        name = node.name.lower()
        known = model.dimension_by_name.get(name) or model.entity_by_name.get(name)
        if known is not None:
            return exp.paren(user_expression(known.expr, where=f"{model.name}.{name}"))
        if declared is not None and name not in declared:
            raise UnknownNameError.of("column", node.name, {*declared, *model.dimension_by_name}, where=where)
        return node

    return tree.transform(own).sql("spark")


def _grid(manifest: SemanticManifest, metric: Metric, entity: str, grid: Grid, dialect: Dialect, where: str) -> str:
    """The keys of the entity at each time of the grid, from when one of their rows is known on."""
    catalog = catalog_of(manifest)
    model = manifest.model(facts_of(catalog, metric.name, where=where)[0])
    if entity not in model.entity_by_name:
        raise UnknownNameError.of("entity", entity, model.entity_by_name, where=f"{where}, semantic model {model.name}")
    scope = Scope(Context(catalog, dialect, Reads(), _no_metric_rows), model.name, model.time_dimension)
    key = user_expression(model.entity_by_name[entity].expr, where=f"entity {model.name}.{entity}", table=model.name)
    entry = exp.Min(this=clock_of(model, scope.time()).entry_time(dialect))
    every = exp.Select().from_(exp.alias_(relation_table(model.relation), model.name, table=True), copy=False)
    keys = every.select(exp.alias_(key.copy(), "_key"), exp.alias_(entry, "_first"), copy=False)
    keys = keys.where(not_null(key), copy=False).group_by(key.copy(), copy=False)
    times = exp.Select().select(exp.alias_(_every(grid, dialect), "_at"), copy=False)
    spine = exp.Select().from_(exp.alias_(exp.Subquery(this=keys), "_keys", table=True), copy=False)
    known = exp.LT(this=column("_first", "_keys"), expression=microseconds(column("_at", "_times"), dialect))
    spine = spine.join(exp.alias_(exp.Subquery(this=times), "_times", table=True), on=known, copy=False)
    at, name = user_column(PREDICT_AT).this, user_column(entity).this
    spine = spine.select(exp.alias_(column("_key", "_keys"), name), exp.alias_(column("_at", "_times"), at), copy=False)
    return render(spine, dialect)


def _every(grid: Grid, dialect: Dialect) -> exp.Expr:
    """The times of a grid as rows."""
    step = exp.Interval(this=exp.Literal.string(str(grid.step.count)), unit=exp.var(grid.step.unit.upper()))
    ends = [timestamp(grid.first), timestamp(grid.last), step]
    outer, inner = ("UNNEST", "GENERATE_SERIES") if dialect == "duckdb" else ("EXPLODE", "SEQUENCE")
    return exp.Anonymous(this=outer, expressions=[exp.Anonymous(this=inner, expressions=ends)])


def _no_metric_rows(name: str, group_by: tuple[str, ...]) -> NoReturn:
    raise AssertionError(f"a spine compares no metric ({name} by {group_by})")
