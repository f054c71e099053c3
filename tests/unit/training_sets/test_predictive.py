"""Predictive queries against SQL written by hand, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from brute_force import World, merged, random_world
from engine import duckdb_of, moment
from worlds import TYPES, manifest

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.manifest.model import Dimension, SemanticManifest
from penstock.training_sets import Part, asked_of, compile_training_set, parse_predictive
from penstock.training_sets.predictive import Grid, Rows, Times

WORLD = merged(random_world(Random(seed), most=18) for seed in range(40))
UNTIL = moment(500).isoformat(" ")
END = "OVER NEXT 7 seconds SETTLED AFTER 5 seconds FOR thing AT labels.at"


def _compiled(text: str, definitions: SemanticManifest | None = None, dialect: str = "duckdb", **more: Any) -> Any:
    """The three parts, compiled."""
    parts = {
        part: compile_training_set(
            *asked_of(
                definitions or manifest(), {"predict": text, "part": part, **_until(part), **more}, TYPES, dialect
            ),
            dialect,
        )
        for part in get_args(Part)
    }
    return SimpleNamespace(**parts)


def _until(part: str) -> dict[str, str]:
    return {} if part == "features" else {"labels_until": UNTIL}


def _rows(sql: str, world: World = WORLD) -> list[tuple[Any, ...]]:
    return sorted(duckdb_of(world).execute(sql).fetchall(), key=repr)


@pytest.mark.parametrize(
    ("target", "by_hand"),
    [
        ("count(events)", "count(*)"),
        ("count(events where flag)", "count(*) FILTER (flag)"),
        ("COUNT(events WHERE flag OR label = ') FOR x')", "count(*) FILTER (flag OR label = ') FOR x')"),
        ("exists(events where n > 0)", "CAST(coalesce(bool_or(n > 0), FALSE) AS INT)"),
        ("sum(events.n)", "sum(n)"),
        ("sum(events.n where flag)", "sum(n) FILTER (flag)"),
        ("avg(events.n)", "avg(n)"),
        ("min(events.n where label in ('u', 'v'))", "min(n) FILTER (label IN ('u', 'v'))"),
        ("max(events.n)", "max(n)"),
        ("count_distinct(events.label)", "count(DISTINCT label)"),
        ("total", "sum(n)"),
    ],
)
def test_the_label_is_what_a_hand_written_query_finds(target: str, by_hand: str) -> None:
    label = _compiled(f"PREDICT {target} {END}").label
    wanted = f"""
        SELECT l.*, (SELECT {by_hand} FROM events e WHERE e.thing = l.thing AND e.happened_at >= l.at
            AND e.happened_at < l.at + INTERVAL 7 SECOND AND e.known_at < l.at + INTERVAL 12 SECOND)
        FROM labels l WHERE l.at IS NOT NULL"""
    found = _rows(label.sql)
    assert [row[:-1] for row in found] == [row[:-1] for row in _rows(wanted)]
    expected = [row[-1] for row in _rows(wanted)]
    assert [row[-1] for row in found] == pytest.approx(expected)
    assert len(set(expected)) > 1


def test_features_and_training_set() -> None:
    prediction = _compiled(f"PREDICT total {END} GIVEN thing.total over 7 seconds, thing.flagged to date as flags")
    assert [f.name for f in prediction.features.features] == ["thing__total__7s", "flags"]
    assert [f.name for f in prediction.training_set.features] == ["thing__total__7s", "flags", "thing__total__next_7s"]
    features, label, both = (_rows(p.sql) for p in (prediction.features, prediction.label, prediction.training_set))
    assert len(features) == len(WORLD.labels)
    assert [row[:4] for row in both] == [row[:4] for row in label]
    assert {row[:6] for row in both} <= set(features)
    assert prediction.features.maturity is None
    assert prediction.training_set.maturity == prediction.label.maturity


def test_without_features_the_own_past_is_given() -> None:
    prediction = _compiled(f"PREDICT count(events where flag) as flags {END}")
    assert [f.text for f in prediction.features.features] == [
        "thing.count_events over 7 seconds", "thing.count_events over 28 seconds",
    ]  # fmt: skip
    assert prediction.label.features[0].name == "flags"


def test_a_spine_may_be_given_beside_it() -> None:
    text = f"PREDICT total {END}"
    given = _compiled(text.replace("labels.at", "at"), spine="labels")
    assert given.training_set.sql == _compiled(text).training_set.sql


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"spine": "labels"}, "AT names a table, and a spine is given"),
        ({"features": ["thing.total to date"]}, "the query says it, and so does features"),
        ({"part": "lable"}, "unknown part 'lable'"),
        ({"sampel": {}}, "unknown key 'sampel'"),
    ],
)
def test_what_does_not_go_with_it(more: dict[str, Any], what: str) -> None:
    with pytest.raises(PenstockError, match=what):
        _compiled(f"PREDICT total {END}", **more)
    with pytest.raises(InvalidRequestError, match="part is of a predictive query"):
        asked_of(manifest(), {"part": "label"}, TYPES)


def test_a_split_and_a_sample_go_with_it() -> None:
    more = {"sample": {"share": 0.5, "by": ["label_id"]}, "split": {"by": "time", "test_from": "1970-01-01"}}
    rows = _rows(_compiled(f"PREDICT total {END}", **more).training_set.sql)
    assert 0 < len(rows) < len(WORLD.labels)
    assert {row[4] for row in rows} == {"train", "test"}


def test_a_dimension_goes_by_its_name_and_a_metric_keeps_its_own() -> None:
    definitions = manifest()
    events = definitions.models["events"]
    odd = replace(events, dimensions=(*events.dimensions, Dimension("odd", "categorical", "n > 1 OR flag")))
    taken = replace(definitions.metrics["total"], name="count_events")
    definitions = replace(
        definitions,
        models={**definitions.models, "events": odd},
        metrics={**definitions.metrics, "count_events": taken},
    )
    text = f"PREDICT count(events where odd and label = 'u') {END} GIVEN thing.count_events over 7 seconds"
    prediction = _compiled(text, definitions)
    by_hand = _compiled(f"PREDICT count(events where (n > 1 OR flag) and label = 'u') {END}")
    assert _rows(prediction.label.sql) == _rows(by_hand.label.sql)
    past = _compiled(f"PREDICT total {END} GIVEN thing.total over 7 seconds").features
    assert _rows(prediction.features.sql) == _rows(past.sql)


def test_a_grid_asks_for_each_key_from_when_it_is_known() -> None:
    first, last = moment(4), moment(34)
    text = f"PREDICT total {END}".replace("labels.at", f"every 10 seconds from {first} to {last}")
    by_hand = """
        SELECT k.thing, t.moment FROM (SELECT thing, min(greatest(happened_at, known_at)) AS first FROM events
            WHERE thing IS NOT NULL AND happened_at IS NOT NULL AND known_at IS NOT NULL GROUP BY thing) k
        JOIN (VALUES {}) t(moment) ON k.first < t.moment""".format(
        ", ".join(f"(TIMESTAMP '{moment(s)}')" for s in (4, 14, 24, 34))
    )
    wanted = _rows(by_hand)
    assert 0 < len(wanted) < 4 * len({e["thing"] for e in WORLD.events})
    assert [row[:2] for row in _rows(_compiled(text).features.sql)] == wanted
    assert [row[:2] for row in _rows(_compiled(text).label.sql)] == wanted


@pytest.mark.parametrize("dialect", ["spark", "duckdb"])
def test_each_dialect_has_the_whole_of_it(dialect: str) -> None:
    text = f"PREDICT exists(events) {END}".replace("labels.at", "every 1 day from 2020-01-01 to 2020-02-01")
    prediction = _compiled(text, dialect=dialect)
    assert prediction.training_set.columns[-1] == "thing__exists_events__next_7s"


def test_the_parts() -> None:
    query = parse_predictive(
        "predict Sum(Flights.distance where (dest = 'AT (x' )) as miles over next 2 weeks for carrier, plane tailnum "
        "at main.spine.predict_at given carrier.flights to date,\n plane.planes.seats"
    )
    assert query.target == Rows("sum", "flights", "distance", "(dest = 'AT (x' )")
    assert query.entities == {"carrier": "carrier", "plane": "tailnum"}
    assert query.at == Times("main.spine", "predict_at")
    assert query.given == ("carrier.flights to date", "plane.planes.seats")
    assert (query.name, query.settled) == ("miles", None)
    grid = parse_predictive(
        "PREDICT x OVER NEXT 1 day FOR a AT every 6 hours from '2020-01-01 12:00' to '2020-01-02'"
    ).at
    assert isinstance(grid, Grid)
    assert (grid.step.short, grid.first, grid.last) == ("6h", "2020-01-01 12:00", "2020-01-02")


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("SELECT 1", InvalidRequestError, "does not begin with PREDICT"),
        ("PREDICT", InvalidRequestError, "does not begin with PREDICT"),
        (f"PREDICT 1 {END}", InvalidRequestError, "no metric or aggregate"),
        (f"PREDICT count(events {END}", InvalidRequestError, "not closed"),
        (f"PREDICT count(events where x = 'a) {END}", InvalidRequestError, "not closed"),
        ("PREDICT total NEXT 7 days", InvalidRequestError, "does not go on with"),
        (f"PREDICT cuont(events) {END}", UnknownNameError, "unknown aggregate 'cuont'"),
        (f"PREDICT count(events.n) {END}", InvalidRequestError, "counts rows"),
        (f"PREDICT sum(events) {END}", InvalidRequestError, "needs a column"),
        (f"PREDICT count(evnts) {END}", UnknownNameError, "unknown semantic model 'evnts'"),
        (f"PREDICT count(events where flog) {END}", UnknownNameError, "unknown column 'flog'"),
        (f"PREDICT count(events where sum(n) > 1) {END}", InvalidRequestError, "over many rows"),
        (f"PREDICT count(events where n in (select 1)) {END}", InvalidRequestError, "sub-query"),
        (f"PREDICT count(events where n; drop table x) {END}", InvalidRequestError, "no SQL expression|not a single"),
        (f"PREDICT totl {END}", UnknownNameError, "unknown metric 'totl'"),
        ("PREDICT total OVER NEXT 2 months FOR thing AT labels.at", InvalidRequestError, "no fixed length"),
        ("PREDICT total OVER NEXT 2 days FOR thing AT the labels", InvalidRequestError, "'the labels' are no times"),
        (
            "PREDICT total OVER NEXT 2 days SETTLED AFTER 1 day FOR thing AT happened_at",
            InvalidRequestError, "no spine is given",
        ),
        (
            "PREDICT total OVER NEXT 2 days FOR thing AT every 0 days from 2020-01-01 to 2020-02-01",
            InvalidRequestError, "no time at all",
        ),
        (
            "PREDICT total OVER NEXT 2 days FOR thing AT every 1 day from 2020-02-01 to 2020-01-01",
            InvalidRequestError, "before its first",
        ),
        (
            "PREDICT total OVER NEXT 2 days FOR thing x AT every 1 day from 2020-01-01 to 2020-02-01",
            InvalidRequestError, "keys of one entity",
        ),
        (
            "PREDICT total OVER NEXT 2 days SETTLED AFTER 1 day FOR owner AT every 1 day from 2020-01-01 to 2020-02-01",
            UnknownNameError, "unknown entity 'owner'",
        ),
        ("PREDICT total OVER NEXT 2 days FOR thing AT labels.at", PenstockError, "not said when the label is final"),
    ],
)  # fmt: skip
def test_refusals(text: str, error: type[PenstockError], what: str) -> None:
    with pytest.raises(error, match=what) as raised:
        _compiled(text)
    assert raised.value.where
