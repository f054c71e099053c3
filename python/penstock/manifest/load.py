"""Read dbt's `semantic_manifest.json` into the typed manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from penstock.errors import InvalidDefinitionError, PenstockError
from penstock.manifest import rules
from penstock.manifest.model import (
    Conversion,
    Cumulative,
    Dimension,
    Entity,
    Metric,
    MetricInput,
    Relation,
    SavedQuery,
    SemanticManifest,
    SemanticModel,
    TimeSpine,
)

Raw = Mapping[str, Any]


def load_manifest(raw: Raw) -> SemanticManifest:
    """Turn dbt's semantic manifest, old or new metric shape, into typed objects; the load-time rules are applied.

    Args:
        raw: The parsed JSON of `target/semantic_manifest.json`.

    Raises:
        InvalidDefinitionError: A definition contradicts itself, or is of a shape that dbt doesn't write.
    """
    try:
        return _load(raw)
    except PenstockError:
        raise
    except (KeyError, TypeError, AttributeError) as bad:
        raise InvalidDefinitionError(
            f"the semantic manifest is not of the shape that dbt writes ({type(bad).__name__}: {bad})",
            where="semantic_manifest.json",
            fix="write it anew with `dbt parse`",
        ) from bad


def _load(raw: Raw) -> SemanticManifest:
    configuration = raw.get("project_configuration") or {}
    spines = _time_spines(configuration)
    grains = frozenset(name for spine in spines for name, _ in spine.custom_grains)
    models = {m.name: m for m in map(_semantic_model, raw.get("semantic_models") or ())}
    measures = rules.measures_of(raw.get("semantic_models") or ())
    written = {rules.lower(m["name"]): m for m in raw.get("metrics") or ()}
    defaults = {name: model.time_dimension for name, model in models.items()}
    simple = rules.SimpleMetrics(measures, defaults, written)
    metrics = {name: _metric(name, metric, simple, grains) for name, metric in written.items()}
    # complex metrics over measures have asked for simple metrics that nobody wrote; they come after the written ones
    metrics |= simple.created
    return SemanticManifest(
        models=models,
        metrics=metrics,
        time_spines=spines,
        saved_queries={q.name: q for q in map(_saved_query, raw.get("saved_queries") or ())},
    )


def _relation(raw: Raw) -> Relation:
    name = raw.get("relation_name") or ".".join(p for p in (raw.get("database"), raw["schema_name"], raw["alias"]) if p)
    return Relation(name=name, alias=raw["alias"], schema=raw["schema_name"], database=raw.get("database"))


def _semantic_model(raw: Raw) -> SemanticModel:
    defaults = raw.get("defaults") or {}
    return SemanticModel(
        name=rules.lower(raw["name"]),
        relation=_relation(raw["node_relation"]),
        entities=tuple(_entity(e) for e in raw.get("entities") or ()),
        dimensions=tuple(_dimension(d) for d in raw.get("dimensions") or ()),
        primary_entity=rules.lower_or_none(raw.get("primary_entity")),
        time_dimension=rules.lower_or_none(defaults.get("agg_time_dimension")),
        description=raw.get("description") or "",
        meta=_meta(raw),
        node_id=raw.get("node_id"),
    )


def _entity(raw: Raw) -> Entity:
    name = rules.lower(raw["name"])
    return Entity(
        name=name,
        type=rules.plain(raw["type"]),
        expr=str(raw.get("expr") or name),
        description=raw.get("description") or "",
    )


def _dimension(raw: Raw) -> Dimension:
    name = rules.lower(raw["name"])
    kind = rules.plain(raw["type"])
    params = raw.get("type_params") or {}
    ends = params.get("validity_params") or {}
    return Dimension(
        name=name,
        type=kind,
        expr=str(raw.get("expr") or name),
        # MetricFlow reads a time dimension without a granularity as one of days
        grain=rules.plain(params.get("time_granularity") or "day") if kind == "time" else None,
        is_partition=bool(raw.get("is_partition")),
        validity="start" if ends.get("is_start") else "end" if ends.get("is_end") else None,
        description=raw.get("description") or "",
    )


def _metric(name: str, raw: Raw, simple: rules.SimpleMetrics, grains: frozenset[str]) -> Metric:
    kind = rules.plain(raw["type"])
    if kind == "simple":
        return simple.written(name)
    params = raw.get("type_params") or {}
    inputs: tuple[MetricInput, ...] = ()
    cumulative, conversion = None, None
    if kind == "ratio":
        inputs = tuple(_input(params[part], grains) for part in ("numerator", "denominator"))
    elif kind == "derived":
        inputs = tuple(_input(i, grains) for i in params.get("metrics") or ())
    elif kind == "cumulative":
        cumulative = _cumulative(name, params, simple, grains)
    elif kind == "conversion":
        conversion = _conversion(name, params["conversion_type_params"], simple, grains)
    else:
        raise InvalidDefinitionError(f"unknown metric type '{kind}'", where=f"metric {name}")
    return Metric(
        name=name,
        type=kind,
        description=raw.get("description") or "",
        label=raw.get("label"),
        filters=rules.filters_of(raw.get("filter")),
        expr=params.get("expr") if kind == "derived" else None,
        inputs=inputs,
        cumulative=cumulative,
        conversion=conversion,
        time_granularity=rules.lower_or_none(raw.get("time_granularity")),
        meta=_meta(raw),
        private=bool(params.get("is_private")),
    )


def _input(raw: Raw, grains: Iterable[str]) -> MetricInput:
    return MetricInput(
        name=rules.lower(raw["name"]),
        alias=rules.lower_or_none(raw.get("alias")),
        filters=rules.filters_of(raw.get("filter")),
        offset_window=rules.window_of(raw.get("offset_window"), grains),
        offset_to_grain=rules.lower_or_none(raw.get("offset_to_grain")),
    )


def _input_or_measure(
    name: str, metric: Raw | None, measure: Raw | None, simple: rules.SimpleMetrics, grains: Iterable[str]
) -> MetricInput:
    if metric:
        return _input(metric, grains)
    if not measure:
        raise InvalidDefinitionError(
            "the metric has neither an input metric nor an input measure", where=f"metric {name}"
        )
    return MetricInput(
        name=simple.for_measure(measure, where=f"metric {name}"),
        alias=rules.lower_or_none(measure.get("alias")),
        filters=rules.filters_of(measure.get("filter")),
    )


def _cumulative(name: str, params: Raw, simple: rules.SimpleMetrics, grains: Iterable[str]) -> Cumulative:
    own = params.get("cumulative_type_params") or {}
    return Cumulative(
        input=_input_or_measure(name, own.get("metric"), params.get("measure"), simple, grains),
        # window and grain_to_date stood beside, not within, cumulative_type_params in older projects
        window=rules.window_of(own.get("window") or params.get("window"), grains),
        grain_to_date=rules.lower_or_none(own.get("grain_to_date") or params.get("grain_to_date")),
        period_agg=rules.plain(own.get("period_agg") or "first"),
    )


def _conversion(name: str, own: Raw, simple: rules.SimpleMetrics, grains: Iterable[str]) -> Conversion:
    return Conversion(
        base=_input_or_measure(name, own.get("base_metric"), own.get("base_measure"), simple, grains),
        conversion=_input_or_measure(name, own.get("conversion_metric"), own.get("conversion_measure"), simple, grains),
        entity=rules.lower(own["entity"]),
        calculation=rules.plain(own.get("calculation") or "conversion_rate"),
        window=rules.window_of(own.get("window"), grains),
        constant_properties=tuple(
            (rules.lower(p["base_property"]), rules.lower(p["conversion_property"]))
            for p in own.get("constant_properties") or ()
        ),
    )


def _time_spines(configuration: Raw) -> tuple[TimeSpine, ...]:
    spines = [
        TimeSpine(
            relation=_relation(raw["node_relation"]),
            column=raw["primary_column"]["name"],
            grain=rules.plain(raw["primary_column"]["time_granularity"]),
            custom_grains=tuple(
                (rules.lower(c["name"]), c.get("column_name") or c["name"])
                for c in raw.get("custom_granularities") or ()
            ),
            node_id=raw.get("node_id"),
        )
        for raw in configuration.get("time_spines") or ()
    ]
    have = {spine.grain for spine in spines}
    for raw in configuration.get("time_spine_table_configurations") or ():
        grain = rules.plain(raw["grain"])
        if grain in have:
            continue
        *above, alias = str(raw["location"]).split(".")
        relation = Relation(
            name=raw["location"], alias=alias.strip('`"'), schema=above[-1].strip('`"') if above else ""
        )
        spines.append(TimeSpine(relation=relation, column=raw["column_name"], grain=grain, node_id=raw.get("node_id")))
    return tuple(spines)


def _saved_query(raw: Raw) -> SavedQuery:
    params = raw["query_params"]

    def texts(key: str) -> tuple[str, ...]:
        return tuple(cast("Sequence[str]", params.get(key) or ()))

    return SavedQuery(
        name=rules.lower(raw["name"]),
        metrics=tuple(rules.lower(m) for m in params.get("metrics") or ()),
        group_by=texts("group_by"),
        where=rules.filters_of(params.get("where")),
        order_by=texts("order_by"),
        limit=params.get("limit"),
        description=raw.get("description") or "",
        exports=tuple((e.get("config") or {}).get("alias") or e["name"] for e in raw.get("exports") or ()),
    )


def _meta(raw: Raw) -> Mapping[str, Any]:
    return dict((raw.get("config") or {}).get("meta") or {})
