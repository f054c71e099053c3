"""A small world of definitions over three tables, and the features that the tests ask of it."""

from __future__ import annotations

from penstock.manifest.model import (
    Aggregation,
    Dimension,
    Entity,
    Metric,
    MetricInput,
    Relation,
    SemanticManifest,
    SemanticModel,
)

KNOWN = {"penstock": {"known_at": "known_at"}}
TYPES = {
    "events": {"n": "bigint", "d": "decimal(20,4)", "x": "double", "flag": "boolean", "label": "string"},
    "readings": {"id": "int", "thing": "string", "read_at": "timestamp", "value": "int"},
}


def simple(
    name: str, agg: str, expr: str, *, of: str = "events", filters: tuple[str, ...] = (), **more: object
) -> Metric:
    """A simple metric, over `events` unless it is of another model."""
    spec = {k: more.pop(k) for k in ("percentile", "time_dimension") if k in more}
    aggregation = Aggregation(of, agg, expr, **{"time_dimension": "happened_at", **spec})  # type: ignore[arg-type]
    return Metric(name, "simple", aggregation=aggregation, filters=filters, **more)  # type: ignore[arg-type]


def manifest() -> SemanticManifest:
    """Events (bitemporal) and readings (with a delay) of things, places (timeless), prices (valid for a time)."""
    time = Dimension("happened_at", "time", "happened_at", grain="second")
    early = Dimension("early_at", "time", "early_at", grain="second")
    events = SemanticModel(
        "events",
        Relation("events", "events", ""),
        entities=(
            *tuple(Entity(name, "foreign", name) for name in ("thing", "place")),
            Entity("event", "primary", "id"),
        ),
        dimensions=(time, early, Dimension("flag", "categorical", "flag"), Dimension("label", "categorical", "label")),
        time_dimension="happened_at",
        meta=KNOWN,
        node_id="model.demo.events",
    )
    readings = SemanticModel(
        "readings",
        Relation("readings", "readings", ""),
        entities=(Entity("reading", "primary", "id"), Entity("thing", "foreign", "thing")),
        dimensions=(Dimension("read_at", "time", "read_at", grain="second"),),
        time_dimension="read_at",
        meta={"penstock": {"delay": "3 seconds"}},
    )
    places = SemanticModel(
        "places",
        Relation("places", "places", ""),
        entities=(Entity("place", "primary", "place"), Entity("owner", "foreign", "owner")),
        dimensions=(Dimension("country", "categorical", "country"),),
        meta={"penstock": {"known_at": "always"}},
    )
    prices = SemanticModel(
        "prices",
        Relation("prices", "prices", ""),
        entities=(Entity("price_version", "primary", "id"), Entity("thing", "natural", "thing")),
        dimensions=(
            Dimension("valid_from", "time", "valid_from", grain="second", validity="start"),
            Dimension("valid_to", "time", "valid_to", grain="second", validity="end"),
        ),
        meta={"penstock": {"delay": "0 seconds"}},
    )
    flagged = ("{{ Dimension('event__flag') }}",)
    metrics = (
        simple("total", "sum", "n"),
        simple("number", "sum", "CASE WHEN n IS NOT NULL THEN 1 ELSE 0 END"),
        simple("mean", "average", "n"),
        simple("worth", "sum", "d"),
        simple("weight", "sum", "x"),
        simple("mean_weight", "average", "x"),
        simple("lightest", "min", "x"),
        simple("largest", "max", "n"),
        simple("middle", "percentile", "n", percentile=0.5),
        simple("kinds", "count_distinct", "label"),
        simple("flagged", "sum", "CASE WHEN flag THEN 1 ELSE 0 END", fill_nulls_with=0),
        simple("flagged_total", "sum", "n", filters=flagged),
        simple("early_total", "sum", "n", meta={"penstock": {"known_at": "early_at"}}),
        simple("early_dated", "sum", "n", time_dimension="early_at"),
        simple("early_lightest", "min", "x", time_dimension="early_at"),
        simple("read", "sum", "1"),
        simple("read_total", "sum", "value", of="readings", time_dimension="read_at"),
        simple("read_mean", "average", "value", of="readings", time_dimension="read_at"),
        Metric("rate", "ratio", inputs=(MetricInput("flagged"), MetricInput("number"))),
        Metric("flagged_rate", "ratio", inputs=(MetricInput("total", filters=flagged), MetricInput("early_total"))),
        Metric(
            "balance",
            "derived",
            expr="a - 2 * b",
            inputs=(MetricInput("total", alias="a"), MetricInput("early_total", alias="b")),
        ),
    )
    return SemanticManifest(
        models={m.name: m for m in (events, readings, places, prices)}, metrics={m.name: m for m in metrics}
    )
