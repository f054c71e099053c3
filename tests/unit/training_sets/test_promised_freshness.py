"""What inputs promise of their freshness, and what is measured."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from brute_force import merged, random_world
from engine import duckdb_of, moment
from worlds import TYPES, manifest

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.manifest.model import SemanticManifest
from penstock.training_sets import Duration, Spine, TrainingSetRequest, freshness

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
FEATURES = ("thing.total over 7 seconds", "thing.readings.value", "place.places.country", "thing.rate to date")


def _with_meta(model: str, **more: Any) -> SemanticManifest:
    definitions = manifest()
    changed = definitions.models[model]
    changed = replace(changed, meta={"penstock": {**changed.meta["penstock"], **more}})
    return replace(definitions, models={**definitions.models, model: changed})


def test_promised_and_measured() -> None:
    world = merged(random_world(Random(seed)) for seed in range(20))
    found = freshness(
        _with_meta("events", freshness="6 hours"), TrainingSetRequest(SPINE, FEATURES, types=TYPES), "duckdb"
    )
    assert found.promised == {"events": Duration(6, "hour"), "readings": None}
    measured = dict(duckdb_of(world).execute(str(found.measured)).fetchall())
    second = 1_000_000
    zero = round((moment(0) - moment(10)).total_seconds()) * second
    known = max(e["known_at"] for e in world.events if e["known_at"] is not None)
    read = max(r["read_at"] for r in world.readings if r["read_at"] is not None) + 3
    assert measured == {"events": zero + known * second, "readings": zero + read * second}


def test_timeless_data_has_no_age() -> None:
    found = freshness(manifest(), TrainingSetRequest(SPINE, ("place.places.country",)))
    assert (found.promised, found.measured) == ({}, None)


def test_a_bad_promise_is_told() -> None:
    with pytest.raises(InvalidDefinitionError, match="'soon' is no length of time"):
        freshness(_with_meta("events", freshness="soon"), TrainingSetRequest(SPINE, FEATURES))
    with pytest.raises(UnknownNameError, match="Freshness"):
        freshness(_with_meta("events", Freshness="1 day"), TrainingSetRequest(SPINE, FEATURES))
