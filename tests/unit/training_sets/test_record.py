"""The record of a training set: to properties and back, and which change of a definition changes its hash."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from worlds import manifest

from penstock.training_sets import Spine, TrainingSetRequest
from penstock.training_sets.record import Record, SpineRecord, definitions_used, record_of

RECORD = Record(
    sql="SELECT 'it''s \\ all' AS a\nFROM s.t VERSION AS OF 3",
    inputs={"s.t": 3, "s.v": None},
    spine=SpineRecord("SELECT * FROM s.t VERSION AS OF 3", 7, "ab"),
    definitions={"metric a": "1", "semantic model b": "2"},
    session={"spark.sql.ansi.enabled": "false"},
    request={"spine": "s.t", "features": ["x.a to date"], "columns": []},
    penstock="0.1.0",
)


def test_properties_and_back() -> None:
    properties = RECORD.properties()
    parts = ("sql", "inputs", "spine", "definitions", "session", "request", "version")
    assert set(properties) == {f"penstock.training_set.{part}" for part in parts}
    assert record_of({**properties, "delta.x": "y"}) == RECORD
    assert RECORD.unpinned == ("s.v",)


def test_other_tables_have_none() -> None:
    assert record_of({"delta.logRetentionDuration": "interval 3 days"}) is None


def test_hashes_tell_records_apart() -> None:
    other = replace(RECORD, sql=RECORD.sql + " ", definitions={"metric a": "3", "semantic model b": "2"})
    assert other.sql_hash != RECORD.sql_hash
    assert other.definitions_hash != RECORD.definitions_hash
    assert replace(RECORD, request={}).definitions_hash == RECORD.definitions_hash
    assert re.fullmatch(r"[0-9a-f]{32}", RECORD.sql_hash)


ASKED = TrainingSetRequest(
    Spine("labels", at="at", entities={"thing": "thing"}),
    ("thing.events.n",),
    labels=("thing.rate over next 7 days settled after 1 day",),
)


def test_definitions_are_those_that_are_used() -> None:
    found = definitions_used(manifest(), ASKED)
    assert "semantic model events" in found
    assert {name for name in found if name.startswith("metric ")} == {"metric rate", "metric flagged", "metric number"}
    assert definitions_used(manifest(), ASKED) == found


@pytest.mark.parametrize("part", ["filters", "meta", "fill_nulls_with"])
def test_a_changed_definition_is_told(part: str) -> None:
    world = manifest()
    name = "flagged"
    others = {"filters": ("1 = 2",), "meta": {"penstock": {"delay": "9 days"}}, "fill_nulls_with": 17}
    metrics = {**world.metrics, name: replace(world.metrics[name], **{part: others[part]})}
    before = definitions_used(world, ASKED)
    after = definitions_used(replace(world, metrics=metrics), ASKED)
    assert {key for key in before if before[key] != after[key]} == {f"metric {name}"}


def test_a_description_is_no_change() -> None:
    world = manifest()
    described = {name: replace(metric, description="more", label="words") for name, metric in world.metrics.items()}
    models = {name: replace(model, description="more", node_id="n") for name, model in world.models.items()}
    assert definitions_used(replace(world, metrics=described, models=models), ASKED) == definitions_used(world, ASKED)


def test_a_changed_model_is_told() -> None:
    world = manifest()
    models = {**world.models, "events": replace(world.models["events"], meta={"penstock": {"delay": "1 day"}})}
    before, after = definitions_used(world, ASKED), definitions_used(replace(world, models=models), ASKED)
    assert {key for key in before if before[key] != after[key]} == {"semantic model events"}


def test_a_metric_brings_its_model() -> None:
    asked = replace(ASKED, features=("thing.total to date",), labels=())
    assert list(definitions_used(manifest(), asked)) == ["metric total", "semantic model events"]
