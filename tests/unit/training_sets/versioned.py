"""The definitions over the tables of `histories`, and what is asked of them."""

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
from penstock.training_sets import Spine

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place", "claim": "claim"})
TYPES = {
    "claims": {
        "claim": "string", "seq": "int", "thing": "string", "place": "string", "happened_at": "timestamp",
        "known_at": "timestamp", "early_at": "timestamp", "gone": "boolean", "n": "bigint", "d": "decimal(20,4)",
        "x": "double", "flag": "boolean", "label": "string",
    },
    "ratings": {
        "thing": "string", "rated_at": "timestamp", "heard_at": "timestamp", "gone": "boolean", "stars": "int",
    },
    "counts": {
        "meter": "string", "slot": "int", "thing": "string", "read_at": "timestamp", "gone": "boolean", "n": "int",
    },
}  # fmt: skip


def _time(name: str) -> Dimension:
    return Dimension(name, "time", name, grain="second")


def _simple(name: str, agg: str, expr: str, model: str = "claims", **more: object) -> Metric:
    time = {"claims": "happened_at", "ratings": "rated_at", "counts": "read_at"}[model]
    spec = {k: more.pop(k) for k in ("percentile", "time_dimension") if k in more}
    aggregation = Aggregation(model, agg, expr, **{"time_dimension": time, **spec})  # type: ignore[arg-type]
    return Metric(name, "simple", aggregation=aggregation, **more)  # type: ignore[arg-type]


def versioned_manifest() -> SemanticManifest:
    """Claims with a tie-break, ratings by the entity's key, counts by two columns and with a delay."""
    claims = SemanticModel(
        "claims",
        Relation("claims", "claims", ""),
        entities=(
            Entity("claim", "primary", "claim"),
            Entity("thing", "foreign", "thing"),
            Entity("place", "foreign", "place"),
        ),
        dimensions=(
            _time("happened_at"),
            _time("early_at"),
            Dimension("flag", "categorical", "flag"),
            Dimension("label", "categorical", "label"),
        ),
        time_dimension="happened_at",
        meta={"penstock": {"known_at": "known_at", "version_of": "claim", "tie_break": "seq", "deleted": "gone"}},
    )
    ratings = SemanticModel(
        "ratings",
        Relation("ratings", "ratings", ""),
        entities=(Entity("thing", "primary", "thing"),),
        dimensions=(_time("rated_at"), Dimension("stars", "categorical", "stars")),
        time_dimension="rated_at",
        meta={"penstock": {"known_at": "heard_at", "version_of": "thing", "deleted": "gone"}},
    )
    counts = SemanticModel(
        "counts",
        Relation("counts", "counts", ""),
        entities=(Entity("count", "primary", "meter || slot"), Entity("thing", "foreign", "thing")),
        dimensions=(_time("read_at"),),
        time_dimension="read_at",
        meta={"penstock": {"delay": "3 seconds", "version_of": ["meter", "slot"], "deleted": "gone"}},
    )
    metrics = (
        _simple("total", "sum", "n"),
        _simple("number", "sum", "1"),
        _simple("mean", "average", "n"),
        _simple("worth", "sum", "d"),
        _simple("weight", "sum", "x"),
        _simple("lightest", "min", "x"),
        _simple("middle", "percentile", "n", percentile=0.5),
        _simple("kinds", "count_distinct", "label"),
        _simple("flagged", "sum", "CASE WHEN flag THEN 1 ELSE 0 END", fill_nulls_with=0),
        _simple("flagged_total", "sum", "n", filters=("{{ Dimension('claim__flag') }}",)),
        _simple("early_total", "sum", "n", meta={"penstock": {"known_at": "early_at"}}),
        _simple("early_dated", "sum", "n", time_dimension="early_at"),
        _simple("score", "sum", "stars", "ratings"),
        _simple("counted", "sum", "n", "counts"),
        Metric("rate", "ratio", inputs=(MetricInput("flagged"), MetricInput("number"))),
        Metric(
            "balance",
            "derived",
            expr="a - 2 * b",
            inputs=(MetricInput("total", alias="a"), MetricInput("early_total", alias="b")),
        ),
    )
    return SemanticManifest(models={m.name: m for m in (claims, ratings, counts)}, metrics={m.name: m for m in metrics})
