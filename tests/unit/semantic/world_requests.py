"""Random requests over a world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from world_metrics import common, filters
from world_models import Item, World, coarser, items_of

_RANGES = [("2024-01-01", "2024-01-31"), ("2024-01-02", "2024-02-10"), ("2023-12-31", "2024-01-07")]
# what metrics can't be asked for: other times without a time to group by, and ranges of what is no sum of rows
REFUSALS = (
    "looks back in time", "looks at other times", "can't be had over a range", "no share within it", "can't be offset",
)  # fmt: skip
_PARTS = ["year", "quarter", "month", "day", "dow", "doy"]


@st.composite
def requests(draw: st.DrawFn, world: World, *, limits: bool = False) -> dict[str, Any]:
    """A request in the form of the conformance protocol; with `limits`, some with an order and a limit."""
    made = [name for name, metric in world.metrics.items() if metric["type"] != "simple"]
    metrics = draw(st.lists(st.sampled_from([*made, *world.metrics, *made]), min_size=1, max_size=3, unique=True))
    facts = {fact for name in metrics for fact in facts_of(world, name)}
    items = common(world.items, facts)
    keys = draw(st.lists(_keys(items), max_size=2, unique=True)) if items else []
    if draw(st.sampled_from([True, True, False])):
        grain = draw(st.sampled_from(["day", "day", "week", "month", "month", "quarter", "year"]))
        keys.insert(0, f"metric_time__{grain}")
    if draw(st.sampled_from([False] * 9 + [True])):
        keys.append(f"TimeDimension('metric_time', date_part_name='{draw(st.sampled_from(_PARTS))}')")
    compared = list(_compared(world, facts))
    where = draw(st.lists(filters(items, compared), max_size=2)) if items and draw(st.booleans()) else []
    request = {
        "metrics": metrics,
        "group_by": keys,
        "where": where,
        "time_constraint": draw(st.sampled_from([None, None, None, *_RANGES])),
    }
    if limits and draw(st.sampled_from([False, False, False, True])):
        named = [k for k in keys if "__" in k and "(" not in k and (k.startswith("metric_time") or not _bare(items, k))]
        order = draw(st.lists(st.sampled_from([*named, *metrics]), min_size=1, max_size=3, unique=True))
        request["order_by"] = [draw(st.sampled_from(["", "-"])) + name for name in order]
        request["limit"] = draw(st.integers(1, 5))
    return request


def _bare(items: list[Item], key: str) -> bool:
    """Whether a key is a time without its grain, so that its column has another name."""
    return any(item.name == key and item.grain for item in items)


@st.composite
def looks(draw: st.DrawFn, world: World) -> dict[str, Any]:
    """A request of a kind that MetricFlow doesn't know: subtotals, and metrics looked at in other ways."""
    request = draw(requests(world))
    keys = request["group_by"]
    shares = ["share of total", *(f"share within {key}" for key in keys if "(" not in key)]
    ranges = ["over 3 days", "over 1 month", "to date", "week to date", "month to date"]
    moves = ["1 day ago", "1 month ago", "change from 1 week ago", "growth from 2 days ago"]
    timed = any(key.startswith("metric_time") for key in keys)
    metrics = []
    for i, name in enumerate(request["metrics"]):
        kind = world.metrics[name]["type"]
        ways = [*shares, *(moves if timed and kind != "conversion" else [])]
        ways += ranges if timed and kind not in ("conversion", "cumulative") else []
        way = draw(st.sampled_from([None, *ways]))
        metrics.append(f"{name} {way} as looked_at_{i}" if way else name)
    subtotals = []
    if keys and not any(" share within" in metric for metric in metrics):
        subtotals = draw(st.lists(st.lists(st.sampled_from(keys), unique=True), max_size=2))
    return request | {"metrics": metrics, "subtotals": subtotals}


@st.composite
def value_requests(draw: st.DrawFn, world: World) -> dict[str, Any]:
    """A request for the values of items without a metric, which history needs the time of."""
    history = {name for name, model in world.models.items() if any(e["type"] == "natural" for e in model.entities)}
    model = draw(st.sampled_from([name for name in world.models if name not in history] or list(world.models)))
    items = [item for item in items_of(world.models, model) if not history & set(item.name.split("__"))]
    own = [item for item in items if item.name.split("__")[0] == world.models[model].own]
    keys = draw(st.lists(_keys(items), max_size=2, unique=True))
    keys = list(dict.fromkeys([draw(_keys(own or items)), *keys]))
    if draw(st.sampled_from([False, False, False, True])):
        keys.append("metric_time__month")
    where = [draw(filters(items, times="metric_time__month" in keys))] if draw(st.booleans()) else []
    return {"metrics": [], "group_by": keys, "where": where, "time_constraint": None}


def facts_of(world: World, name: str) -> set[str]:
    """The facts of which a metric is made."""
    params = world.metrics[name]["type_params"]
    own = params.get("metric_aggregation_params")
    if own:
        return {own["semantic_model"]}
    return {fact for given in inputs_of(params) for fact in facts_of(world, given["name"])}


def inputs_of(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The metrics of which another one is made, for a conversion its base."""
    yield from params.get("metrics") or ()
    for part in ("numerator", "denominator"):
        if part in params:
            yield params[part]
    if "cumulative_type_params" in params:
        yield params["cumulative_type_params"]["metric"]
    if "conversion_type_params" in params:
        yield params["conversion_type_params"]["base_metric"]


def _compared(world: World, facts: set[str]) -> Iterator[tuple[str, str]]:
    """Simple metrics with an entity of theirs that all facts have."""
    shared = set.intersection(*({e["name"] for e in world.models[f].entities} for f in facts))
    for name, metric in world.metrics.items():
        own = metric["type_params"].get("metric_aggregation_params")
        if own:
            yield from ((name, e["name"]) for e in world.models[own["semantic_model"]].entities if e["name"] in shared)


@st.composite
def _keys(draw: st.DrawFn, items: list[Item]) -> str:
    item = draw(st.sampled_from(items))
    if item.grain is None:
        return item.name
    return f"{item.name}__{draw(st.sampled_from(coarser(item.grain)))}"
