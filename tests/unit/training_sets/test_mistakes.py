"""Every request without an answer is refused when it is compiled: what, where, near misses, fix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from worlds import TYPES, manifest, simple

from penstock.errors import InvalidDefinitionError, InvalidRequestError, PenstockError, UnknownNameError
from penstock.manifest.model import (
    Conversion,
    Cumulative,
    Metric,
    MetricInput,
    NonAdditive,
    SemanticManifest,
    Window,
)
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place", "owner": "owner"})


def _refused(*texts: str, world: SemanticManifest | None = None, spine: Spine = SPINE, **more: Any) -> PenstockError:
    with pytest.raises(PenstockError) as error:
        compile_training_set(world or manifest(), TrainingSetRequest(spine, texts, **more), "duckdb")
    assert error.value.what
    assert error.value.where
    return error.value


def _with_meta(model: str, meta: dict[str, Any]) -> SemanticManifest:
    world = manifest()
    return replace(world, models={**world.models, model: replace(world.models[model], meta=meta)})


def _with_metric(metric: Metric) -> SemanticManifest:
    world = manifest()
    return replace(world, metrics={**world.metrics, metric.name: metric})


@pytest.mark.parametrize(
    ("text", "what", "near"),
    [
        ("thng.total to date", "unknown entity 'thng'", "thing"),
        ("thing.totl to date", "unknown metric 'totl'", "total"),
        ("thing.reading.value", "unknown semantic model 'reading'", "readings"),
        ("place.readings.value", "unknown entity 'place'", "thing"),
        ("owner.total to date", "unknown entity 'owner'", "thing"),
        ("thing.events.flog", "unknown column 'flog'", "flag"),
    ],
)
def test_unknown_names(text: str, what: str, near: str) -> None:
    error = _refused(text, types=TYPES)
    assert isinstance(error, UnknownNameError)
    assert error.what == what
    assert near in error.near
    assert text in error.where


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("place.places.country within 3 days", "is timeless"),
        ("owner.places.country", "one key may have many rows"),
        ("thing.middle to date", "needs all rows of the past"),
    ],
)
def test_features_without_an_answer(text: str, what: str) -> None:
    error = _refused(text)
    assert isinstance(error, InvalidRequestError)
    assert what in error.what
    assert text in error.where
    assert error.fix


def test_it_has_to_be_declared_when_rows_are_known() -> None:
    error = _refused("thing.total to date", world=_with_meta("events", {}))
    assert isinstance(error, InvalidDefinitionError)
    assert error.where == "semantic model events, metric total"
    assert "known_at" in error.fix
    assert "delay: 1 hour" in error.fix
    # a metric that says so itself needs nothing of its model
    request = TrainingSetRequest(SPINE, ("thing.early_total to date",))
    assert "early_at" in compile_training_set(_with_meta("events", {}), request, "duckdb").sql


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({"known_at": "known_at", "delay": "1 hour"}, "both known_at and delay"),
        ({"delay": "an hour"}, "is no length of time"),
        ({"delay": "1 month"}, "no fixed length"),
        ({"known_at": 7}, "not a text"),
        ({"known_at": "known_at)"}, "no SQL expression"),
        ({"known_at": "(SELECT max(t) FROM other)"}, "sub-query"),
        ({"knownat": "x"}, "unknown key 'knownat'"),
        ("always", "not a mapping"),
    ],
)
def test_bad_declarations(section: Any, what: str) -> None:
    error = _refused("thing.total to date", world=_with_meta("events", {"penstock": section}))
    assert what in error.what
    assert "events" in error.where


def test_only_simple_metrics_say_when_they_are_known() -> None:
    inputs = (MetricInput("flagged"), MetricInput("number"))
    world = _with_metric(Metric("rate", "ratio", inputs=inputs, meta={"penstock": {"known_at": "early_at"}}))
    assert "known when its inputs are" in _refused("thing.rate to date", world=world).what


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        (Metric("m", "cumulative", cumulative=Cumulative(MetricInput("total"))), "a range of time of its own"),
        (
            Metric("m", "conversion", conversion=Conversion(MetricInput("total"), MetricInput("read"), entity="thing")),
            "a range of time of its own",
        ),
        (
            Metric("m", "derived", expr="total", inputs=(MetricInput("total", offset_window=Window(1, "day")),)),
            "moves 'total' in time",
        ),
        (
            Metric("m", "derived", expr="total", inputs=(MetricInput("total", offset_to_grain="month"),)),
            "moves 'total' in time",
        ),
        (simple("m", "sum", "n", filters=("{{ Dimension('place__country') }} = 'x'",)), "not in 'events' itself"),
        (simple("m", "sum", "n", filters=("{{ Metric('total', ['thing']) }} > 1",)), "compares a metric"),
        (simple("m", "sum", "n", time_dimension=None), "has no event time"),
    ],
)
def test_metrics_without_an_answer(metric: Metric, what: str) -> None:
    nested = Metric("outer", "derived", expr="m + 1", inputs=(MetricInput("m"),))
    world = _with_metric(metric)
    world = replace(world, metrics={**world.metrics, "outer": nested})
    assert what in _refused("thing.m over 3 days", world=world).what
    assert what in _refused("thing.outer over 3 days", world=world).what


def test_semi_additive_metrics_are_refused() -> None:
    metric = simple("m", "sum", "n")
    assert metric.aggregation is not None
    semi = replace(metric, aggregation=replace(metric.aggregation, non_additive=NonAdditive("happened_at", "max")))
    assert "takes one row of each period" in _refused("thing.m over 3 days", world=_with_metric(semi)).what


def test_the_newest_needs_a_tie_break() -> None:
    world = manifest()
    keyless = replace(
        world.models["readings"], entities=tuple(e for e in world.models["readings"].entities if e.type == "foreign")
    )
    world = replace(world, models={**world.models, "readings": keyless})
    error = _refused("thing.readings.value", world=world)
    assert "can't be told apart" in error.what
    assert "tie_break" in error.fix
    declared = replace(keyless, meta={"penstock": {"delay": "3 seconds", "tie_break": "value"}})
    world = replace(world, models={**world.models, "readings": declared})
    request = TrainingSetRequest(SPINE, ("thing.readings.value",))
    assert "'tie_break': readings.value}" in compile_training_set(world, request, "duckdb").sql


def test_the_newest_needs_an_event_time() -> None:
    error = _refused("place.places.country", world=_with_meta("places", {"penstock": {"delay": "1 day"}}))
    assert "has no event time" in error.what


def test_the_end_of_validity_needs_a_delay() -> None:
    error = _refused("thing.prices.price", world=_with_meta("prices", {"penstock": {"known_at": "valid_from"}}))
    assert "does not say when the end of a row is known" in error.what


@pytest.mark.parametrize(
    ("texts", "columns"),
    [
        (("thing.readings.value", "thing.readings.value within 3 days"), ()),
        (("thing.total to date as N", "thing.readings.value as n"), ()),
        (("thing.total to date as at",), ("thing", "at")),
    ],
)
def test_two_columns_of_one_name(texts: tuple[str, ...], columns: tuple[str, ...]) -> None:
    error = _refused(*texts, spine=replace(SPINE, columns=columns))
    assert "two columns would be called" in error.what
    assert "as another_name" in error.fix


@pytest.mark.parametrize(
    "relation", ["", "a; b", "select", "DROP TABLE labels", "labels WHERE 1 = 1", "labels, others"]
)
def test_spines_that_are_none(relation: str) -> None:
    error = _refused("thing.total to date", spine=replace(SPINE, relation=relation))
    assert isinstance(error, InvalidRequestError)
    assert "the spine is neither a table's name nor a query" in error.what


def test_no_features_and_other_dialects() -> None:
    assert "at least one feature" in _refused().what
    with pytest.raises(UnknownNameError, match="unknown dialect 'postgres'"):
        compile_training_set(manifest(), TrainingSetRequest(SPINE, ("thing.total to date",)), "postgres")


LABELS = {"thing": "string", "place": "string", "owner": "bigint", "at": "timestamp"}


@pytest.mark.parametrize(
    ("spine", "labels", "what"),
    [
        (replace(SPINE, at="att"), LABELS, "unknown column 'att'"),
        (replace(SPINE, entities={"thing": "thng"}), LABELS, "unknown column 'thng'"),
        (replace(SPINE, columns=("thing", "nothing")), LABELS, "unknown column 'nothing'"),
        (SPINE, {**LABELS, "at": "string"}, "its time 'at' is no date or timestamp: it is declared as string"),
        (SPINE, {**LABELS, "at": "bigint"}, "it is declared as bigint"),
        (
            SPINE,
            {**LABELS, "thing": "bigint"},
            "the spine's 'thing' is a number and the key of 'thing' in 'events' a text",
        ),
    ],
)
def test_spines_whose_types_are_known(spine: Spine, labels: dict[str, str], what: str) -> None:
    error = _refused("thing.total to date", spine=spine, types={"events": {"thing": "varchar(9)"}, "`labels`": labels})
    assert what in error.what
    assert error.where == "the spine labels"


@pytest.mark.parametrize("at", ["date", "timestamp", "timestamp_ntz", "timestamp with time zone", "no such type"])
def test_spines_whose_types_are_as_they_have_to_be(at: str) -> None:
    types = {"events": {"thing": "varchar(9)"}, "labels": {**LABELS, "at": at, "thing": "string"}}
    assert compile_training_set(manifest(), TrainingSetRequest(SPINE, ("thing.total to date",), types=types), "duckdb")


@pytest.mark.parametrize(
    ("column", "what"),
    [("happened_at", "its event time is no date or timestamp: events.happened_at"), ("known_at", "its known_at is no")],
)
@pytest.mark.parametrize("text", ["thing.total over 3 days", "thing.lightest over 3 days", "thing.events.n"])
def test_times_that_are_text(column: str, what: str, text: str) -> None:
    error = _refused(text, types={"events": {"happened_at": "timestamp", "n": "int", column: "string"}})
    assert isinstance(error, InvalidDefinitionError)
    assert what in error.what
    assert error.where == "semantic model events"
    assert "cast" in error.fix


VERSIONS = {"known_at": "known_at", "version_of": "id", "deleted": "flag"}
KNOWN_ALWAYS = {"penstock": {"known_at": "always"}}


def test_versions_are_refused_where_they_have_no_answer() -> None:
    timeless = _with_meta("places", {"penstock": {"known_at": "always", "version_of": "place"}})
    assert "no row is known at any time" in _refused("place.places.country", world=timeless).what
    valid = _with_meta("prices", {"penstock": {"delay": "0 seconds", "version_of": "id"}})
    assert "which row is valid by what was known then" in _refused("thing.prices.price", world=valid).what
    held = _with_meta("events", {"penstock": VERSIONS})
    assert "needs all rows of the past" in _refused("thing.middle to date", world=held).what
    always = replace(held, metrics={**held.metrics, "m": simple("m", "sum", "n", meta=KNOWN_ALWAYS)})
    assert "no row is known at any time" in _refused("thing.m to date", world=always).what


@pytest.mark.parametrize(
    ("text", "typed", "shapes"),
    [
        ("thing.total to date", True, ("lifetimes",)),
        ("thing.total to date", False, ("rows",)),
        ("thing.total over 3 days", True, ("lifetimes",)),
        ("thing.lightest to date", True, ("rows",)),
        ("thing.kinds to date", False, ("lifetimes",)),
        ("thing.events.n", True, ("rows",)),
        ("event.events.n", True, ("latest",)),
    ],
)
def test_the_shape_of_what_can_be_corrected(text: str, typed: bool, shapes: tuple[str, ...]) -> None:
    spine = replace(SPINE, entities={**SPINE.entities, "event": "event"})
    request = TrainingSetRequest(spine, (text,), types=TYPES if typed else {})
    compiled = compile_training_set(_with_meta("events", {"penstock": VERSIONS}), request, "duckdb")
    assert compiled.features[0].shapes == shapes
