"""The load-time rules: measures become simple metrics, and every aggregation one of a few.

dbt writes its manifest before these rules; a reader applies them. They are idempotent, so that a manifest to which they
have been applied already reads the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.manifest.model import Aggregation, Metric, NonAdditive, Window

Raw = Mapping[str, Any]

STANDARD_GRAINS = (
    "nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year",
)  # fmt: skip
_MEDIAN = 0.5


@dataclass(frozen=True)
class Measure:
    """An old-style measure, its aggregation already one of the few."""

    name: str
    aggregation: Aggregation
    create_metric: bool
    description: str
    label: str | None


@dataclass
class SimpleMetrics:
    """The simple metrics of a project: those written, and those made for measures that other metrics name.

    Args:
        measures: By name, from `measures_of`.
        time_dimensions: The default time dimension by semantic model.
        raw: All metrics as written, by lower-case name.
    """

    measures: Mapping[str, Measure]
    time_dimensions: Mapping[str, str | None]
    raw: Mapping[str, Raw]
    created: dict[str, Metric] = field(default_factory=dict)
    _known: dict[str, Metric] = field(default_factory=dict)
    _by_content: dict[tuple[object, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, metric in self.raw.items():
            if plain(metric["type"]) == "simple":
                self._add(self._build(name, metric))
        for measure in self.measures.values():
            if measure.create_metric:
                self._proxy(measure)

    def written(self, name: str) -> Metric:
        """The simple metric that the project calls `name`."""
        return self._known[name]

    def for_measure(self, measure_input: Raw, *, where: str) -> str:
        """The name of a simple metric equal to a measure as another metric uses it; made where none is.

        Filters of the input stay with the metric that uses it.
        """
        measure = self._measure(measure_input["name"], where=where)
        fill, join = measure_input.get("fill_nulls_with"), bool(measure_input.get("join_to_timespine"))
        wanted = Metric(
            name=measure.name,
            type="simple",
            description=measure.description,
            label=measure.label,
            aggregation=self._timed(measure.aggregation),
            fill_nulls_with=fill,
            join_to_timespine=join,
            private=True,
        )
        found = self._by_content.get(_content(wanted))
        if found is not None:
            return found
        metric = replace(wanted, name=self._free_name(measure.name, fill, join))
        self.created[metric.name] = metric
        self._add(metric)
        return metric.name

    def _proxy(self, measure: Measure) -> None:
        """A measure with `create_metric: true` is a metric too, unless a simple metric of that name is written."""
        other = self.raw.get(measure.name)
        if other is None:
            metric = Metric(
                name=measure.name,
                type="simple",
                description=measure.description,
                label=measure.label,
                aggregation=self._timed(measure.aggregation),
            )
            self.created[metric.name] = metric
            self._add(metric)
        elif plain(other["type"]) != "simple":
            raise InvalidDefinitionError(
                f"the measure '{measure.name}' makes a metric of its name, and another metric has that name",
                where=f"metric {measure.name} ({plain(other['type'])})",
                fix="rename one of the two, or drop `create_metric: true`",
            )

    def _build(self, name: str, raw: Raw) -> Metric:
        params = raw.get("type_params") or {}
        own, measure_input = params.get("metric_aggregation_params"), params.get("measure")
        filters = filters_of(raw.get("filter"))
        fill, join = params.get("fill_nulls_with"), bool(params.get("join_to_timespine"))
        if own:
            # a metric that stands for a measure takes the measure's expression, whatever it says itself
            measure = self.measures.get(lower(measure_input["name"])) if measure_input else None
            expr = measure.aggregation.expr if measure else params.get("expr")
            aggregation = aggregation_of(lower(own["semantic_model"]), own, expr, owner=name, kind="metric")
        elif measure_input:
            aggregation = self._measure(measure_input["name"], where=f"metric {name}").aggregation
            filters = (*filters_of(measure_input.get("filter")), *filters)
            fill = measure_input.get("fill_nulls_with") if measure_input.get("fill_nulls_with") is not None else fill
            join = bool(measure_input.get("join_to_timespine")) or join
        else:
            raise InvalidDefinitionError(
                f"the simple metric '{name}' says neither what it aggregates nor which measure it stands for",
                where=f"metric {name}",
                fix="give it `agg` and `expr`",
            )
        return Metric(
            name=name,
            type="simple",
            description=raw.get("description") or "",
            label=raw.get("label"),
            filters=filters,
            aggregation=self._timed(aggregation),
            fill_nulls_with=fill,
            join_to_timespine=join,
            time_granularity=lower_or_none(raw.get("time_granularity")),
            meta=dict((raw.get("config") or {}).get("meta") or {}),
            private=bool(params.get("is_private")),
        )

    def _timed(self, aggregation: Aggregation) -> Aggregation:
        """The aggregation with its model's default time dimension where it names none."""
        if aggregation.time_dimension is not None:
            return aggregation
        return replace(aggregation, time_dimension=self.time_dimensions.get(aggregation.semantic_model))

    def _measure(self, name: str, *, where: str) -> Measure:
        if lower(name) not in self.measures:
            raise UnknownNameError.of("measure", name, self.measures, where=where)
        return self.measures[lower(name)]

    def _add(self, metric: Metric) -> None:
        self._known[metric.name] = metric
        self._by_content.setdefault(_content(metric), metric.name)

    def _free_name(self, measure: str, fill: float | None, join: bool) -> str:
        base = measure
        if fill is not None:
            base += f"_fill_nulls_with_{fill if fill >= 0 else f'neg_{abs(fill)}'}"
        if join:
            base += "_join_to_timespine"
        name, count = base, 0
        while name in self.raw or name in self.created:
            count += 1
            name = f"{base}_{count}"
        return name


def measures_of(models: Iterable[Raw]) -> dict[str, Measure]:
    """The measures of all semantic models by lower-case name."""
    found: dict[str, Measure] = {}
    for model in models:
        for raw in model.get("measures") or ():
            name = lower(raw["name"])
            found[name] = Measure(
                name=name,
                aggregation=aggregation_of(lower(model["name"]), raw, raw.get("expr"), owner=name, kind="measure"),
                create_metric=bool(raw.get("create_metric")),
                description=raw.get("description") or "",
                label=raw.get("label"),
            )
    return found


def aggregation_of(model: str, raw: Raw, expr: str | None, *, owner: str, kind: str) -> Aggregation:
    """What a measure or a new-style simple metric aggregates: counts and booleans as sums, the median as a percentile.

    Raises:
        InvalidDefinitionError: A count without `expr`, or a median that asks for another percentile.
    """
    agg, text = plain(raw["agg"]), str(expr) if expr is not None else None
    params = raw.get("agg_params") or {}
    percentile, discrete = params.get("percentile"), bool(params.get("use_discrete_percentile"))
    if agg == "sum_boolean":
        agg, text = "sum", f"CASE WHEN {text or owner} THEN 1 ELSE 0 END"
    elif agg == "count":
        if text is None:
            raise InvalidDefinitionError(
                f"the {kind} '{owner}' counts, but does not say what",
                where=f"{kind} {owner}",
                fix="give it `expr`; `expr: 1` counts all rows",
            )
        agg, text = "sum", text if text == "1" else f"CASE WHEN {text} IS NOT NULL THEN 1 ELSE 0 END"
    elif agg == "median":
        if percentile not in (None, _MEDIAN) or discrete:
            raise InvalidDefinitionError(
                f"the {kind} '{owner}' is a median, but asks for another percentile",
                where=f"{kind} {owner}",
                fix="drop its `agg_params`, or use `agg: percentile`",
            )
        agg, percentile = "percentile", _MEDIAN
    return Aggregation(
        semantic_model=model,
        agg=agg,
        expr=text or owner,
        time_dimension=lower_or_none(raw.get("agg_time_dimension")),
        percentile=percentile,
        discrete=discrete,
        approximate=bool(params.get("use_approximate_percentile")),
        non_additive=_non_additive(raw.get("non_additive_dimension")),
    )


def window_of(raw: Raw | str | None, custom_grains: Iterable[str]) -> Window | None:
    """A window as dbt writes it ({count, granularity} or "7 days"), its grain in the singular."""
    if not raw:
        return None
    if isinstance(raw, str):
        count, _, grain = raw.strip().lower().partition(" ")
        if not count.isdigit() or not grain:
            raise InvalidDefinitionError(f"'{raw}' is no length of time", where="a window", fix="write it as '7 days'")
        raw = {"count": int(count), "granularity": grain.strip()}
    grain = plain(raw["granularity"]).lower()
    if grain.endswith("s") and (grain[:-1] in STANDARD_GRAINS or grain[:-1] in custom_grains):
        grain = grain[:-1]
    return Window(count=int(raw["count"]), grain=grain)


def filters_of(raw: Raw | None) -> tuple[str, ...]:
    """The filter templates of one `filter:` block."""
    if not raw:
        return ()
    if isinstance(raw, str):
        return (raw,)
    return tuple(f["where_sql_template"] for f in raw.get("where_filters") or ())


def plain(value: Any) -> Any:
    """The value of an enum (dbt's graph may hold them), anything else as it is."""
    return getattr(value, "value", value)


def lower(name: str) -> str:
    """The name in lower case."""
    return name.lower()


def lower_or_none(name: Any) -> str | None:
    """The name in lower case, None where there is none."""
    value = plain(name)
    return value.lower() if value else None


def _non_additive(raw: Raw | None) -> NonAdditive | None:
    if not raw:
        return None
    return NonAdditive(
        dimension=lower(raw["name"]),
        choice=plain(raw.get("window_choice") or "min"),
        groupings=tuple(lower(g) for g in raw.get("window_groupings") or ()),
    )


def _content(metric: Metric) -> tuple[object, ...]:
    """Two simple metrics of the same content are interchangeable."""
    return (
        metric.aggregation,
        metric.filters,
        metric.fill_nulls_with,
        metric.join_to_timespine,
        metric.time_granularity,
    )
