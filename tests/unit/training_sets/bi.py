"""Random requests asked twice: as columns of a training set, and as BI queries of what was known at each row's time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from engine import moment
from histories import History

from penstock.manifest.model import SemanticManifest
from penstock.semantic import MetricRequest, compile_request
from penstock.semantic.request import Dialect
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set
from penstock.training_sets.request import Types

Run = Callable[[str], list[tuple[Any, ...]]]
ZERO_OVER_NOTHING = ("kinds", "flagged", "read_kinds")


@dataclass(frozen=True)
class Asked:
    """Metrics of an entity over the seconds before some instants; over all that came before where there are none."""

    entity: str
    metrics: tuple[str, ...]
    window: int | None
    instants: tuple[int, ...]


def random_requests(rng: Random, metrics: dict[str, tuple[str, ...]], count: int) -> Iterator[Asked]:
    """Requests for metrics by one of the entities that they have."""
    for _ in range(count):
        entity = rng.choice(sorted(metrics))
        chosen = tuple(rng.sample(metrics[entity], min(len(metrics[entity]), rng.randint(1, 5))))
        window = rng.choice((None, 1, rng.randint(2, 9), rng.randint(10, 30)))
        yield Asked(entity, chosen, window, tuple(rng.sample(range(-3, 40), 3)))


def tamed(history: History) -> History:
    """The history without the doubles beside which others are lost: sums in another order are compared."""
    for row in history.claims:
        if row["x"] is not None and not abs(row["x"]) < 1e9:
            row["x"] = 0.25
    return history


def trained(
    manifest: SemanticManifest, types: Types, asked: Asked, run: Run, dialect: Dialect
) -> dict[tuple[Any, int], tuple[Any, ...]]:
    """The columns of the training set by key and instant, for every key of the labels."""
    instants = " UNION ALL ".join(f"SELECT {t} AS t, TIMESTAMP '{moment(t)}' AS at" for t in asked.instants)
    keys = f"SELECT DISTINCT {asked.entity} AS k FROM labels WHERE {asked.entity} IS NOT NULL"
    spine = Spine(f"SELECT * FROM ({keys}) AS a CROSS JOIN ({instants}) AS b", at="at", entities={asked.entity: "k"})
    span = "to date" if asked.window is None else f"over {asked.window} seconds"
    features = tuple(f"{asked.entity}.{metric} {span} as {metric}" for metric in asked.metrics)
    sql = compile_training_set(manifest, TrainingSetRequest(spine, features, types=types), dialect).sql
    return {(key, t): tuple(values) for key, t, _, *values in run(sql)}


def asked_in_bi(
    manifest: SemanticManifest, asked: Asked, t: int, run: Run, dialect: Dialect, *, as_known: bool
) -> dict[Any, tuple[Any, ...]]:
    """The metrics by key as a BI query has them, of rows that had happened before the instant."""
    time = "{{ TimeDimension('metric_time', 'second') }}"
    where = [f"{time} < '{moment(t)}'"]
    if asked.window is not None:
        where.append(f"{time} >= '{moment(t - asked.window)}'")
    known_at = moment(t).isoformat(" ") if as_known else None
    request = MetricRequest(asked.metrics, (asked.entity,), tuple(where), known_at=known_at)
    return {key: tuple(values) for key, *values in run(compile_request(manifest, request, dialect).sql)}


def compared(
    manifest: SemanticManifest, types: Types, asked: Asked, run: Run, dialect: Dialect, *, as_known: bool = True
) -> Iterator[tuple[str, Any, Any]]:
    """Each value of the training set beside that of BI, with what it is."""
    found = trained(manifest, types, asked, run, dialect)
    for t in asked.instants:
        bi = asked_in_bi(manifest, asked, t, run, dialect, as_known=as_known)
        for (key, at), values in found.items():
            if at != t:
                continue
            # a group without rows has no count in BI; a row of a training set has one, of nothing
            wanted = bi.get(key, (None,) * len(asked.metrics))
            for metric, mine, theirs in zip(asked.metrics, values, wanted, strict=True):
                zero = 0 if metric in ZERO_OVER_NOTHING and theirs is None else theirs
                yield f"{metric} of {asked.entity} {key} over {asked.window} at {t}", mine, zero


def equal(mine: Any, theirs: Any) -> bool:
    """Whether two values are the same, doubles but for the order of adding."""
    if mine is None or theirs is None or isinstance(mine, (str, Decimal)):
        return bool(mine == theirs)
    return math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-9)
