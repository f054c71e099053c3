"""What of a project's definitions would fail when it is asked for, found before anybody asks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from penstock.errors import PenstockError, nearest
from penstock.manifest.model import Metric, SemanticManifest, SemanticModel
from penstock.semantic.catalog import Catalog, catalog_of
from penstock.semantic.compile import compile_request
from penstock.semantic.knowledge import declared_sql
from penstock.semantic.names import METRIC_TIME, finer_or_same, is_standard
from penstock.semantic.request import MetricName, MetricRequest
from penstock.semantic.resolve import facts_of, time_grain
from penstock.semantic.templates import parse_expression

_KINDS = ("primary", "unique", "natural", "foreign")


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, in the words of the error that it would become."""

    where: str
    what: str
    near: tuple[str, ...] = ()
    fix: str = ""


def validate(manifest: SemanticManifest, columns: Mapping[str, Collection[str]] | None = None) -> tuple[Problem, ...]:
    """Find what would fail: expressions, columns, grains, paths, time axes, metrics and saved queries.

    Args:
        manifest: The project's definitions.
        columns: The columns of relations, by the name that the manifest gives the relation, where they are known.
    """
    catalog = catalog_of(manifest)
    found: dict[Problem, None] = {}
    for model in manifest.models.values():
        known = (columns or {}).get(model.relation.name)
        found |= dict.fromkeys(_in_model(catalog, model, known))
    for metric in manifest.metrics.values():
        known = None
        if metric.aggregation is not None and metric.aggregation.semantic_model in manifest.models:
            known = (columns or {}).get(manifest.models[metric.aggregation.semantic_model].relation.name)
        found |= dict.fromkeys(_in_metric(catalog, metric, known))
    for name in manifest.saved_queries:
        found |= dict.fromkeys(_in_request(manifest, MetricRequest(saved_query=name), f"saved query {name}"))
    return tuple(found)


def _in_model(catalog: Catalog, model: SemanticModel, known: Collection[str] | None) -> Iterator[Problem]:
    where = f"semantic model {model.name}"
    for entity in model.entities:
        yield from _in_expression(entity.expr, f"{where}, entity {entity.name}", known)
        if entity.type not in _KINDS:
            yield Problem(f"{where}, entity {entity.name}", f"'{entity.type}' is no type of an entity", _KINDS)
        elif entity.type == "natural" and not any(d.validity for d in model.dimensions):
            yield Problem(
                f"{where}, entity {entity.name}",
                "a natural entity has several rows for one key, and no dimension tells which of them is valid",
                fix="give two time dimensions `validity_params`, or make the entity foreign",
            )
    for dimension in model.dimensions:
        yield from _in_expression(dimension.expr, f"{where}, dimension {dimension.name}", known)
    try:
        for key, sql in declared_sql(model):
            yield from _in_expression(sql, f"{where}, {key}", known)
    except PenstockError as error:
        yield _problem(error, where)
    if model.dimensions and not catalog.prefixes(model):
        yield Problem(
            where,
            "it has no primary entity, so that its dimensions have no name to ask for them by",
            fix="give it a primary entity, or `primary_entity: <name>`",
        )
    default = model.time_dimension
    if default is not None and default not in model.dimension_by_name:
        yield Problem(
            f"{where}, agg_time_dimension",
            f"there is no dimension '{default}'",
            nearest(default, model.dimension_by_name),
        )


def _in_expression(sql: str, where: str, known: Collection[str] | None) -> Iterator[Problem]:
    try:
        tree = parse_expression(sql, where=where)
    except PenstockError as error:
        yield _problem(error, where)
        return
    if known is None:
        return
    there = {name.lower() for name in known}
    for column in tree.find_all(exp.Column):
        if not column.table and column.name.lower() not in there:
            yield Problem(where, f"unknown column '{column.name}'", nearest(column.name.lower(), there))


def _in_metric(catalog: Catalog, metric: Metric, known: Collection[str] | None) -> Iterator[Problem]:
    where = f"metric {metric.name}"
    if metric.aggregation is not None:
        yield from _in_expression(metric.aggregation.expr, where, known)
        model = catalog.manifest.models.get(metric.aggregation.semantic_model)
        time = metric.aggregation.time_dimension
        if model is not None and (time is None or time not in model.dimension_by_name):
            yield Problem(
                where,
                "it has no time axis, so that it can't be asked for by metric_time",
                nearest(time, model.dimension_by_name) if time else (),
                f"give it `agg_time_dimension`, or {model.name} a default one",
            )
            return
    try:
        facts_of(catalog, metric.name)  # before its grain: a metric may be made of itself
        finest = time_grain(catalog, metric.name)
    except PenstockError as error:
        yield _problem(error, where)
        return
    except RecursionError:
        yield Problem(where, "its metrics are nested too deeply to be compiled")
        return
    grain = metric.time_granularity
    if grain is not None and is_standard(grain) and not finer_or_same(finest, grain):
        yield Problem(where, f"its time_granularity is {grain}, and its time is kept by {finest}", (), f"use {finest}")
        return
    yield from _in_request(catalog.manifest, MetricRequest((MetricName(metric.name),), (METRIC_TIME,)), where)


def _in_request(manifest: SemanticManifest, request: MetricRequest, where: str) -> Iterator[Problem]:
    try:
        compile_request(manifest, request, "spark")
    except PenstockError as error:
        yield _problem(error, where)


def _problem(error: PenstockError, where: str) -> Problem:
    place = error.where if where in error.where else f"{where}: {error.where}" if error.where else where
    return Problem(place, error.what, error.near, error.fix)
