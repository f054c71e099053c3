"""The semantic manifest as typed, frozen objects, after the load-time rules.

Inside Penstock there are no measures: every one has become a simple metric that carries its own `Aggregation`.
Names are as dbt writes them, lower-case. `expr` is always SQL text: where the YAML gives none it is the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from penstock.errors import UnknownNameError

MetricType = Literal["simple", "ratio", "derived", "cumulative", "conversion"]
EntityType = Literal["primary", "unique", "natural", "foreign"]


@dataclass(frozen=True)
class Relation:
    """A table or view: `name` is its full name as SQL text (dbt's relation_name)."""

    name: str
    alias: str
    schema: str
    database: str | None = None


@dataclass(frozen=True)
class Window:
    """A length of time: `count` steps of `grain` (singular: day, month, or a custom grain's name)."""

    count: int
    grain: str


@dataclass(frozen=True)
class Entity:
    name: str
    type: EntityType
    expr: str
    description: str = ""


@dataclass(frozen=True)
class Dimension:
    """A column to group or filter by; `grain` is that of time dimensions, `validity` tells the ends of an SCD-2 row."""

    name: str
    type: Literal["categorical", "time"]
    expr: str
    grain: str | None = None
    is_partition: bool = False
    validity: Literal["start", "end"] | None = None
    description: str = ""


@dataclass(frozen=True)
class NonAdditive:
    """A semi-additive axis: rows are reduced to the `choice` (min or max) of `dimension` per `groupings` first."""

    dimension: str
    choice: Literal["min", "max"]
    groupings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Aggregation:
    """What a simple metric computes: `agg` over `expr` of one semantic model's rows."""

    semantic_model: str
    agg: str  # sum, count_distinct, average, min, max, percentile, sum_boolean, ...
    expr: str
    time_dimension: str | None
    percentile: float | None = None
    discrete: bool = False
    approximate: bool = False
    non_additive: NonAdditive | None = None


@dataclass(frozen=True)
class MetricInput:
    """A metric used by another one, with what is changed about it."""

    name: str
    alias: str | None = None
    filters: tuple[str, ...] = ()
    offset_window: Window | None = None
    offset_to_grain: str | None = None


@dataclass(frozen=True)
class Cumulative:
    input: MetricInput
    window: Window | None = None
    grain_to_date: str | None = None
    period_agg: Literal["first", "last", "average"] = "first"


@dataclass(frozen=True)
class Conversion:
    base: MetricInput
    conversion: MetricInput
    entity: str
    calculation: Literal["conversions", "conversion_rate"] = "conversion_rate"
    window: Window | None = None
    constant_properties: tuple[tuple[str, str], ...] = ()  # (base property, conversion property)


@dataclass(frozen=True)
class Metric:
    """One metric. `aggregation` is set for simple ones, `inputs` for derived, the named parts for the other types.

    For a ratio, `inputs` is (numerator, denominator).
    """

    name: str
    type: MetricType
    description: str = ""
    label: str | None = None
    filters: tuple[str, ...] = ()
    aggregation: Aggregation | None = None
    expr: str | None = None
    inputs: tuple[MetricInput, ...] = ()
    cumulative: Cumulative | None = None
    conversion: Conversion | None = None
    fill_nulls_with: int | float | None = None
    join_to_timespine: bool = False
    time_granularity: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    private: bool = False  # made for another metric; not to be shown or asked for


@dataclass(frozen=True)
class SemanticModel:
    """A relation with its entities and dimensions; `primary_entity` is one that the YAML names without a column."""

    name: str
    relation: Relation
    entities: tuple[Entity, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    primary_entity: str | None = None
    time_dimension: str | None = None
    description: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    node_id: str | None = None  # dbt's unique_id of the model under it, when known

    @cached_property
    def dimension_by_name(self) -> Mapping[str, Dimension]:
        return {d.name: d for d in self.dimensions}

    @cached_property
    def entity_by_name(self) -> Mapping[str, Entity]:
        return {e.name: e for e in self.entities}


@dataclass(frozen=True)
class TimeSpine:
    relation: Relation
    column: str
    grain: str
    custom_grains: tuple[tuple[str, str], ...] = ()  # (grain, column)
    node_id: str | None = None


@dataclass(frozen=True)
class SavedQuery:
    """A stored request, its parts as the YAML writes them; `exports` are the tables that it is to be written to."""

    name: str
    metrics: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    description: str = ""
    exports: tuple[str, ...] = ()


@dataclass(frozen=True)
class SemanticManifest:
    """All that a compiler needs to know of a project."""

    models: Mapping[str, SemanticModel]
    metrics: Mapping[str, Metric]
    time_spines: tuple[TimeSpine, ...] = ()
    saved_queries: Mapping[str, SavedQuery] = field(default_factory=dict)

    def metric(self, name: str, *, where: str = "") -> Metric:
        """The metric called `name`; raises `UnknownNameError` with near misses."""
        if name not in self.metrics:
            raise UnknownNameError.of("metric", name, self.metrics, where=where, fix="penstock list metrics")
        return self.metrics[name]

    def model(self, name: str, *, where: str = "") -> SemanticModel:
        """The semantic model called `name`; raises `UnknownNameError` with near misses."""
        if name not in self.models:
            raise UnknownNameError.of("semantic model", name, self.models, where=where)
        return self.models[name]
