"""Hits and questions around the hours in which clocks change, in every type that a time may have."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from penstock.manifest.model import (
    Aggregation,
    Dimension,
    Entity,
    Metric,
    Relation,
    SemanticManifest,
    SemanticModel,
)
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

FEATURES = (
    "thing.hits_total over 2 hours",
    "thing.hits_total over 1 day",
    "thing.hits_total to date",
    "thing.hits.n within 90 minutes",
)
# New York goes from 02:00, which is 07:00 UTC, straight to summer, Berlin three weeks later at 01:00 UTC
BORDERS = (datetime(2026, 3, 8, 2), datetime(2026, 3, 8, 7), datetime(2026, 3, 29, 1))
HITS = [border + timedelta(minutes=30 * i) for border in BORDERS for i in range(-8, 9)]
ASKED = [border + timedelta(minutes=m) for border in BORDERS for m in (-61, -60, 0, 1, 59, 60, 61, 600, 1440, 1441)]
DAYS = [border.date() + timedelta(days=i) for border in BORDERS for i in range(-2, 3)]


def _manifest() -> SemanticManifest:
    hits = SemanticModel(
        "hits",
        Relation("hits", "hits", ""),
        entities=(Entity("hit", "primary", "n"), Entity("thing", "foreign", "thing")),
        dimensions=(Dimension("hit_at", "time", "hit_at", grain="second"),),
        time_dimension="hit_at",
        meta={"penstock": {"known_at": "hit_at"}},
    )
    total = Metric("hits_total", "simple", aggregation=Aggregation("hits", "sum", "n", "hit_at"))
    return SemanticManifest(models={"hits": hits}, metrics={"hits_total": total})


def compiled(dialect: str) -> str:
    """The features of each question, beside its number."""
    spine = Spine("asked", at="at", entities={"thing": "thing"}, columns=("number",))
    types = {"hits": {"n": "bigint", "thing": "string"}}
    return compile_training_set(_manifest(), TrainingSetRequest(spine, FEATURES, types=types), dialect).sql


def table(times: list[Any], kind: str, names: tuple[str, str]) -> str:
    """A query with a number and a time for each of these moments, which are those of UTC."""
    number, at = names
    rows = (f"SELECT {i} AS {number}, 'a' AS thing, {literal(t, kind)} AS {at}" for i, t in enumerate(times, 1))
    return " UNION ALL ".join(rows)


def literal(moment: Any, kind: str) -> str:
    """The moment in this type; with a zone, as an instant whatever the session's zone is."""
    if kind == "DATE":
        return f"DATE '{moment}'"
    if kind == "WITH ZONE":
        return f"CAST('{moment:%Y-%m-%d %H:%M:%S}+00:00' AS TIMESTAMP WITH TIME ZONE)"
    if kind == "INSTANT":  # what Spark's TIMESTAMP is
        return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}+00:00'"
    return f"CAST('{moment:%Y-%m-%d %H:%M:%S}' AS {kind})"


def expected(hits: list[Any], asked: list[datetime]) -> list[tuple[Any, ...]]:
    """What has to be found, by the seconds since 1970 of moments in UTC."""
    numbered = [(_seconds(hit), n) for n, hit in enumerate(hits, 1)]
    found = []
    for number, at in enumerate(map(_seconds, asked), 1):
        before = [(t, n) for t, n in numbered if t < at]
        sums = [sum(n for t, n in before if t >= at - hours * 3600) or None for hours in (2, 24, 1_000_000)]
        newest, n = max(before, default=(0, 0))
        found.append((number, *sums, n if n and newest >= at - 90 * 60 else None))
    return found


def _seconds(moment: Any) -> int:
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return int(moment.replace(tzinfo=UTC).timestamp())
