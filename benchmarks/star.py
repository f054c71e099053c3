"""A generated star: areas of ten facts, each with six metrics, over dimensions of two hops; and its tables in DuckDB.

Every fact has three keys: two of dimensions that its area's facts share, and one of a customer that all facts share.
Each dimension has a key of a second one behind it. Ten facts make 60 metrics.
"""

from __future__ import annotations

import random
from typing import Any

import duckdb

from benchmarks import manifests
from benchmarks.manifests import category, entity, length, model, ratio, relation, simple, time
from benchmarks.manifests import cumulative as running_total

METRICS_OF_AN_AREA = 60
FACTS_OF_AN_AREA = 10
ATTRIBUTES = 8
RANGES: tuple[dict[str, Any], ...] = (
    {"window": length(7, "day")},
    {"window": length(2, "month")},
    {"grain_to_date": "month"},
    {},
)
_ROWS = 200
_KEYS = 20


def facts(metrics: int) -> range:
    """The numbers of a star's facts."""
    return range(metrics // METRICS_OF_AN_AREA * FACTS_OF_AN_AREA)


def manifest(metrics: int) -> dict[str, Any]:
    """The semantic manifest of a star, as dbt writes it."""
    areas = range(metrics // METRICS_OF_AN_AREA)
    models = [_dimension("customer", "region"), _dimension("region")]
    for area in areas:
        for near, far in (("site", "zone"), ("item", "kind")):
            models += [_dimension(f"{near}_{area}", f"{far}_{area}"), _dimension(f"{far}_{area}")]
    metrics_of_all = [m for f in facts(metrics) for m in _metrics(f)]
    return manifests.manifest(models + [_fact(f) for f in facts(metrics)], metrics_of_all, relation("star", "days"))


def fill(con: duckdb.DuckDBPyConnection, metrics: int) -> None:
    """Create the tables of a star; some keys of facts lead nowhere, and some are NULL."""
    con.execute("CREATE SCHEMA star")
    con.execute(
        "CREATE TABLE star.days AS SELECT CAST(unnest(generate_series(DATE '2023-12-01', DATE '2024-07-31', "
        "INTERVAL 1 DAY)) AS TIMESTAMP) AS day"
    )
    for made in manifest(metrics)["semantic_models"]:
        name, keys = made["name"], [e["name"] for e in made["entities"] if e["type"] == "foreign"]
        seed = sum(map(ord, name)) * 7919
        if name.startswith("fact_"):
            columns = [f"CASE WHEN {_draw(seed + k, 23)} > 0 THEN {_draw(seed + k, _KEYS + 2)} END AS {key}_id"
                       for k, key in enumerate(keys)]  # fmt: skip
            columns += [
                f"TIMESTAMP '2024-01-01' + INTERVAL 1 DAY * CAST({_draw(seed + 11, 150)} AS INTEGER) AS happened_on",
                f"'channel ' || {_draw(seed + 12, 4)} AS channel",
                f"{_draw(seed + 13, 1000)} AS amount",
                f"{_draw(seed + 14, 9)} AS units",
            ]
            con.execute(f"CREATE TABLE star.{name} AS SELECT i AS {name}_id, {', '.join(columns)} "
                        f"FROM range({_ROWS}) t(i)")  # fmt: skip
        else:
            columns = [f"{_draw(seed + k, _KEYS)} AS {key}_id" for k, key in enumerate(keys)]
            columns += [f"'{name} ' || {_draw(seed + 20 + a, 3 + a)} AS a{a}" for a in range(ATTRIBUTES)]
            con.execute(f"CREATE TABLE star.{name} AS SELECT i AS {name}_id, {', '.join(columns)} "
                        f"FROM range({_KEYS}) t(i)")  # fmt: skip


def one(rnd: random.Random, metrics: int) -> dict[str, Any]:
    """One simple metric by one dimension: the fact's own, a time, or one behind a join."""
    fact = rnd.choice(facts(metrics))
    near = f"{rnd.choice(_near(fact))}__a{rnd.randrange(ATTRIBUTES)}"
    group = rnd.choice([near, near, f"metric_time__{rnd.choice(['day', 'month'])}", f"fact_{fact}__channel"])
    return {"metrics": [f"{rnd.choice(['amount', 'units', 'events'])}_{fact}"], "group_by": [group]}


def ratios(rnd: random.Random, metrics: int) -> dict[str, Any]:
    """Three ratios of the facts of an area by three dimensions, each two hops away."""
    area = rnd.choice(facts(metrics)) // FACTS_OF_AN_AREA
    names = [f"{kind}_{f}" for f in _facts_of(area) for kind in ("per_event", "per_unit")]
    return {"metrics": rnd.sample(names, 3), "group_by": [_attribute(rnd, path) for path in _far(area)]}


def ten(rnd: random.Random, metrics: int) -> dict[str, Any]:
    """Ten metrics of the facts of an area by a time and four dimensions, one to two hops away."""
    area = rnd.choice(facts(metrics)) // FACTS_OF_AN_AREA
    names = [f"{kind}_{f}" for f in _facts_of(area) for kind in ("amount", "units", "events", "per_event", "per_unit")]
    paths = [*_near(area * FACTS_OF_AN_AREA), rnd.choice(_far(area))]
    group = [f"metric_time__{rnd.choice(['day', 'week', 'month'])}", *(_attribute(rnd, path) for path in paths)]
    return {"metrics": rnd.sample(names, 10), "group_by": group}


def cumulative(rnd: random.Random, metrics: int) -> dict[str, Any]:
    """A running total by time, or by time and a dimension."""
    fact = rnd.choice(facts(metrics))
    group = [f"metric_time__{rnd.choice(['day', 'day', 'month'])}"]
    if rnd.random() < 0.6:
        group.append(_attribute(rnd, rnd.choice(_near(fact))))
    return {"metrics": [f"trailing_{fact}"], "group_by": group}


def many_ratios(count: int) -> dict[str, Any]:
    """One ratio of each of as many facts, by the three things that all facts have."""
    group = ["metric_time__month", "customer__a1", "customer__region__a0"]
    return {"metrics": [f"per_event_{f}" for f in range(count)], "group_by": group}


def _attribute(rnd: random.Random, path: str) -> str:
    return f"{path}__a{rnd.randrange(ATTRIBUTES)}"


def _facts_of(area: int) -> range:
    return range(area * FACTS_OF_AN_AREA, (area + 1) * FACTS_OF_AN_AREA)


def _near(fact: int) -> list[str]:
    area = fact // FACTS_OF_AN_AREA
    return [f"site_{area}", f"item_{area}", "customer"]


def _far(area: int) -> list[str]:
    return [f"site_{area}__zone_{area}", f"item_{area}__kind_{area}", "customer__region"]


def _draw(seed: int, below: int) -> str:
    """SQL of a whole number that looks drawn, the same in every run."""
    return f"(((i + 1) * {7919 + seed % 104729} + (i * i) * 31 + {seed}) % 99991) % {below}"


def _dimension(name: str, behind: str | None = None) -> dict[str, Any]:
    entities = [entity(name, "primary", f"{name}_id"), *([entity(behind, "foreign", f"{behind}_id")] if behind else [])]
    return model(relation("star", name), entities, [category(f"a{a}") for a in range(ATTRIBUTES)])


def _fact(number: int) -> dict[str, Any]:
    name = f"fact_{number}"
    keys = [entity(name, "primary", f"{name}_id"), *(entity(n, "foreign", f"{n}_id") for n in _near(number))]
    return model(relation("star", name), keys, [time("happened_on"), category("channel")], "happened_on")


def _metrics(fact: int) -> list[dict[str, Any]]:
    return [
        simple(f"amount_{fact}", f"fact_{fact}", "sum", "amount"),
        simple(f"units_{fact}", f"fact_{fact}", "sum", "units"),
        simple(f"events_{fact}", f"fact_{fact}", "count", "1"),
        ratio(f"per_event_{fact}", f"amount_{fact}", f"events_{fact}"),
        ratio(f"per_unit_{fact}", f"amount_{fact}", f"units_{fact}"),
        running_total(f"trailing_{fact}", f"amount_{fact}", **RANGES[fact % len(RANGES)]),
    ]
