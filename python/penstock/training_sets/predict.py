"""A predictive query to requests: its label, the features as of its times, and the training set of both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from sqlglot import exp

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.manifest.model import Aggregation, Metric, MetricInput
from penstock.semantic.catalog import catalog_of
from penstock.semantic.context import Context, no_metric_rows, relation_table
from penstock.semantic.durations import Duration
from penstock.semantic.expressions import timestamp, user_expression
from penstock.semantic.reads import Reads
from penstock.semantic.render import render
from penstock.semantic.resolve import facts_of
from penstock.semantic.scope import Scope
from penstock.semantic.templates import parse_expression
from penstock.training_sets.kinds import declared_types
from penstock.training_sets.knowledge import clock_of
from penstock.training_sets.predictive import Grid, Rows, parse_predictive
from penstock.training_sets.request import Spine, TrainingSetRequest
from penstock.training_sets.sql import column, known_dialect, microseconds, not_null, user_column

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest, SemanticModel
    from penstock.semantic.request import Dialect
    from penstock.training_sets.request import Types

PREDICT_AT = "predict_at"
_AGG = {"count": "sum", "avg": "average"}
_TIMES_LONGER = 4

Part = Literal["training_set", "features", "label"]


def part_of(request: TrainingSetRequest, part: str) -> TrainingSetRequest:
    """A part of a predictive query's training set.

    Args:
        request: The training set: rows that have a final label, with features and label, which a model learns from.
        part: `label` has the same rows with the label alone, `features` has all rows with their features, as a model
            is asked with, and `training_set` is the whole.

    Raises:
        UnknownNameError: There is no such part.
    """
    if part not in get_args(Part):
        raise UnknownNameError.of("part", part, get_args(Part), where="a predictive query")
    if part == "label":
        return replace(request, features=())
    return replace(request, labels=(), labels_until=None) if part == "features" else request


def predictive_request(
    manifest: SemanticManifest,
    text: str,
    dialect: str = "spark",
    *,
    spine: str | None = None,
    types: Types | None = None,
) -> tuple[SemanticManifest, TrainingSetRequest]:
    """The training set of a predictive query, and the definitions with the metric that it predicts.

    Args:
        manifest: The project's definitions.
        text: The query; see `parse_predictive`.
        dialect: `spark` or `duckdb`.
        spine: The relation whose column follows AT, where it does not name one itself.
        types: The types of columns, as in `TrainingSetRequest`.

    Raises:
        PenstockError: It names what is not there, or has no answer.
    """
    query = parse_predictive(text)
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
    if isinstance(query.at, Grid):
        _check_spine(spine is None, "a grid of times needs no spine", "drop the spine, or write AT column", where)
        rows = Spine(_grid(manifest, metric, entity, query.at, target, where), PREDICT_AT, {entity: entity})
    else:
        relation = query.at.relation or spine
        _check_spine(spine is None or query.at.relation is None, "AT names a table, and a spine is given", "", where)
        _check_spine(relation is not None, "AT names a column, and no spine is given", "write AT table.column", where)
        rows = Spine(str(relation), query.at.column, query.entities)
    return manifest, TrainingSetRequest(rows, features, labels=(label,), types=types)


def _check_spine(holds: bool, what: str, fix: str, where: str) -> None:
    if not holds:
        raise InvalidRequestError(what, where=where, fix=fix or "leave one of them out")


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
    scope = Scope(Context(catalog, dialect, Reads(), no_metric_rows), model.name, model.time_dimension)
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
