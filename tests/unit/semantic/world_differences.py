"""Where MetricFlow's answer over a random world is another one on purpose; docs/metrics.md gives the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from periods import GRAINS
from world_models import Part, World
from world_requests import inputs_of

Request = dict[str, Any]


@dataclass(frozen=True)
class Use:
    """A metric that a request asks for, or of which one is made; `above` are the filters of whoever uses it."""

    metric: Part
    above: tuple[str, ...]
    moved: tuple[str, ...] | None = None  # where it is offset: the filters that look at what comes out

    @property
    def own(self) -> tuple[str, ...]:
        return _filters(self.metric)

    @property
    def params(self) -> Part:
        found: Part = self.metric["type_params"]
        return found


def known_difference(world: World, request: Request) -> str | None:
    """The reason for which MetricFlow's answer differs, where one of those that are known applies."""
    reasons = [_of_keys(world, request), *(_of_use(world, request, use) for use in uses_of(world, request))]
    return next((reason for reason in reasons if reason), None)


def _of_keys(world: World, request: Request) -> str | None:
    keys = request["group_by"]
    if not request["metrics"] and all("__" not in k or _is_metric_time(k) for k in keys):
        return "the keys of an entity are those of the first model that has it"
    entities = {k.split("__")[0] for k in keys if not _is_metric_time(k)}
    if not request["metrics"] and any(map(_is_metric_time, keys)) and len(entities) > 1:
        return "MetricFlow pairs values with times before or after an outer join, as it finds the models"
    history = {e["name"] for m in world.models.values() for e in m.entities if e["type"] == "natural"}
    paths = [path for k in keys if len(path := k.split("__")) > 1]
    behind = {path[0] for path in paths if len(path) > 2 and path[1] in history}
    if any(path[0] in behind and path[1] not in history for path in paths):
        return "MetricFlow loses what lies before a history where no row of that was valid"
    return None


def _is_metric_time(key: str) -> bool:
    return key.startswith(("metric_time", "TimeDimension('metric_time'"))


def _of_use(world: World, request: Request, use: Use) -> str | None:
    if use.moved is not None and any(map(_timed, (*use.own, *use.above))):
        return "MetricFlow looks at the moved time in a metric's own filter"
    if use.moved is not None and any(_timed(c) and _mixed(c) for c in use.moved):
        return "a filter on time and something else: both are looked at after the move"
    history = {e["name"] for m in world.models.values() for e in m.entities if e["type"] == "natural"}
    looked_at = str((request["group_by"], use.above, use.own, use.moved))
    if (use.moved is not None or "cumulative_type_params" in use.params) and any(h in looked_at for h in history):
        return "the row of a history that was valid at the time of the event, not at the time shown"
    if (use.moved is not None or "join_to_timespine" in use.params) and _across(request):
        return "MetricFlow looks at one of several periods that lie across each other"
    made = [given for given in inputs_of(use.params) if _is_made(world, given["name"])]
    if any(_above(request, given) for given in made):
        return "an offset of a ratio or derived metric above the grain of its offset has an answer here alone"
    if any("offset_to_grain" in given for given in made) and any(k.endswith("__week") for k in request["group_by"]):
        return "MetricFlow takes the week that begins with the month, where there is one, for the month's first day"
    if "numerator" in use.params:
        above, below = inputs_of(use.params)
        if above["name"] == below["name"] and "alias" not in above and _filters(above) != _filters(below):
            return "MetricFlow takes a metric for the same one with a filter, where none has an alias"
    if "cumulative_type_params" in use.params:
        return _of_cumulative(request, use)
    return _of_conversion(world, request, use) if "conversion_type_params" in use.params else None


def _of_cumulative(request: Request, use: Use) -> str | None:
    if _filters(use.params["cumulative_type_params"]["metric"]):
        return "MetricFlow drops the filter on the input of a cumulative metric"
    if not any(map(_timed, request["group_by"])) and any(map(_timed, (*use.own, *use.above))):
        return "MetricFlow adds up the running totals of all days that a filter lets through"
    by_own_time = any(k.split("__")[1:2] in (["happened"], ["settled"]) for k in request["group_by"])
    if request["time_constraint"] and by_own_time:
        return "MetricFlow limits the rows of a running total by its own time under its entity's name"
    return None


def _of_conversion(world: World, request: Request, use: Use) -> str | None:
    base, done = (use.params["conversion_type_params"][part] for part in ("base_metric", "conversion_metric"))
    if _filters(done):
        return "MetricFlow drops the filter on the conversions of a conversion metric"
    if not all(map(_is_metric_time, request["group_by"])) and _ties(world, use):
        return "of two base events at one moment MetricFlow takes any"
    filled = world.metrics[done["name"]]["type_params"].get("join_to_timespine")
    if filled and any(k.split("__")[1:2] == ["happened"] for k in request["group_by"]):
        return "MetricFlow fills conversions by metric time alone, not by the base's own time under its entity's name"
    timed = request["time_constraint"] or any(map(_timed, (*use.own, *use.above, *_filters(base))))
    if timed and filled:
        return "a time constraint, or a filter on time, also chooses the periods of conversions that are filled"
    return None


def _ties(world: World, use: Use) -> bool:
    """Whether an entity has two base events in one month, which is as coarse as times of facts are."""
    how = use.params["conversion_type_params"]
    model = world.metrics[how["base_metric"]["name"]]["type_params"]["metric_aggregation_params"]["semantic_model"]
    column = next(e["expr"] for e in world.models[model].entities if e["name"] == how["entity"])
    seen = [(r[column], f"{r['happened']:%Y-%m}") for r in world.tables[model].records() if r["happened"]]
    return len(set(seen)) < len(seen)


def _is_made(world: World, name: str) -> bool:
    return world.metrics[name]["type"] in ("ratio", "derived")


def _above(request: Request, given: Part) -> bool:
    """Whether the periods asked for are longer than that by which an input is moved."""
    by = given["offset_window"]["granularity"].removesuffix("s") if "offset_window" in given else None
    by = by or given.get("offset_to_grain")
    grains = [grain for k in request["group_by"] if _timed(k) and (grain := k.rpartition("__")[2]) in GRAINS]
    return by is not None and bool(grains) and all(GRAINS.index(grain) > GRAINS.index(by) for grain in grains)


def _across(request: Request) -> bool:
    """Whether periods are asked for of which none is a part of the other."""
    grains = {k.rpartition("__")[2] for k in request["group_by"] if _timed(k) and "date_part" not in k}
    parts = any("date_part" in k for k in request["group_by"])
    return bool("week" in grains and grains & {"month", "quarter", "year"}) or (parts and "day" not in grains)


def uses_of(world: World, request: Request) -> Iterator[Use]:
    """Every use of a metric in a request."""
    where = tuple(request["where"])
    for name in request["metrics"]:
        yield from _uses(world, Use(world.metrics[name.split(" ")[0]], where))
    for name, metric in world.metrics.items():
        if any(f"Metric('{name}'" in condition for condition in where):
            yield from _uses(world, Use(metric, ()))


def kinds_of(world: World, request: Request) -> set[str]:
    """What a request looks at: types of metrics, aggregations, and ways to look at other times."""
    found: set[str] = set()
    for use in uses_of(world, request):
        own = use.params.get("metric_aggregation_params") or {}
        how = use.params.get("cumulative_type_params") or {}
        found |= {use.metric["type"], *(k for k in ("window", "grain_to_date") if k in how)}
        found |= {k for given in inputs_of(use.params) for k in ("offset_window", "offset_to_grain") if k in given}
        found |= {k for k in ("fill_nulls_with", "join_to_timespine") if k in use.params}
        found |= (
            {own["agg"], *(["non_additive_dimension"] if "non_additive_dimension" in own else [])} if own else set()
        )
    return found


def _uses(world: World, use: Use) -> Iterator[Use]:
    yield use
    for given in inputs_of(use.params):
        above = (*use.above, *use.own, *_filters(given))
        offset = given.get("offset_window") or given.get("offset_to_grain")
        moved = (*(use.moved or ()), *above) if offset else use.moved
        yield from _uses(world, Use(world.metrics[given["name"]], () if offset else above, moved))
    for name, metric in world.metrics.items():
        if any(f"Metric('{name}'" in condition for condition in use.own):
            yield from _uses(world, Use(metric, ()))


def _filters(part: Part) -> tuple[str, ...]:
    return tuple(f["where_sql_template"] for f in (part.get("filter") or {}).get("where_filters", ()))


def _timed(condition: str) -> bool:
    return "metric_time" in condition or "__happened" in condition or "__settled" in condition


def _mixed(condition: str) -> bool:
    return condition.count("{{") > condition.count("'metric_time'")
