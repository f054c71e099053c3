"""A training set's rows stay as they are when the future is deleted or altered; those of one that leaks don't."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from brute_force import ANSWERS, World, merged, random_world
from engine import COLUMNS, duckdb_of, moment
from worlds import TYPES, manifest

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.manifest.model import SemanticManifest
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set
from penstock.training_sets.leakage.no_leakage import LeakageTest

ALL = tuple(ANSWERS)
SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
KEY = ("label_id", "thing", "place", "at")

# what is timeless, or does not change with its rows
SAME_ALWAYS = ("place__places__country",)


@cache
def world(most: int = 18) -> World:
    """Random histories, their doubles tame: sums that hold 1e17 depend on the order of adding."""
    found = merged(random_world(Random(seed), most=most) for seed in range(40))
    for event in found.events:
        x = event["x"]
        event["x"] = 1.5 if x is not None and (math.isnan(x) or abs(x) > 1e9) else x
    return found


def compiled(
    features: tuple[str, ...],
    *,
    inclusive: bool = False,
    typed: bool = True,
    definitions: SemanticManifest | None = None,
) -> str:
    request = TrainingSetRequest(SPINE, features, inclusive=inclusive, types=TYPES if typed else {})
    return compile_training_set(definitions or manifest(), request, "duckdb").sql


def changes(
    sql: str,
    *,
    inclusive: bool = False,
    spine: tuple[str, ...] = ("_spine",),
    key: tuple[str, ...] = KEY,
    cuts: int | Sequence[int] = 4,
    definitions: SemanticManifest | None = None,
    of: World | None = None,
) -> list[dict[str, Any]]:
    """The rows of the test."""
    connection = duckdb_of(of or world())
    test = LeakageTest(definitions or manifest(), sql, "at", key, spine, inclusive, "duckdb")
    connection.execute(f"CREATE TABLE built AS {sql}")
    columns = {name: kind for name, kind, *_ in connection.execute("DESCRIBE built").fetchall()}
    if isinstance(cuts, int):
        cuts = [cut for (cut,) in connection.execute(test.cut_times("built", cuts)).fetchall()]
    inputs = {name: COLUMNS[name.strip('"')] for name in test.inputs()}
    found = connection.execute(test.statement(columns, inputs, cuts))
    return [dict(zip([d[0] for d in found.description], row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize(("inclusive", "typed"), [(False, True), (True, True), (False, False)])
def test_what_the_compiler_makes_does_not_know_the_future(inclusive: bool, typed: bool) -> None:
    assert changes(compiled(ALL, inclusive=inclusive, typed=typed), inclusive=inclusive) == []


def test_an_answer_that_takes_in_its_own_instant_is_found_for_each_feature() -> None:
    found = changes(compiled(ALL, inclusive=True), cuts=8)
    # readings are known after 3 seconds, so that none ever counts in a window of 2
    never = {name for name in _names(ALL) if name.startswith("thing__read_") and name.endswith("__2s")}
    features = {name for name in _names(ALL) if name not in {*SAME_ALWAYS, *never}}
    assert {row["changed_column"] for row in found} == features
    assert {row["future"] for row in found} == {"deleted", "altered"}


def test_counting_by_event_time_is_found_for_each_feature() -> None:
    by_event = manifest()
    at_once = {"penstock": {"delay": "0 seconds"}}
    models = {n: m if n == "places" else replace(m, meta=at_once) for n, m in by_event.models.items()}
    metrics = {n: replace(m, meta={}) for n, m in by_event.metrics.items()}
    # prices say of themselves that they are known as they begin
    texts = tuple(text for text in ALL if ".prices." not in text)
    leaky = compiled(texts, definitions=replace(by_event, models=models, metrics=metrics))
    found = {row["changed_column"] for row in changes(leaky, cuts=6)}
    # one has an event time of its own, the window of the other is seldom hit
    missed = {*SAME_ALWAYS, "thing__early_dated__6s", "thing__total__1s"}
    assert found >= set(_names(texts)) - missed


def _names(texts: Sequence[str]) -> list[str]:
    from penstock.training_sets import parse_feature

    return [parse_feature(text).name for text in texts]


def _labels(*times: int) -> list[dict[str, Any]]:
    return [{"label_id": i, "thing": "a", "place": None, "at": t} for i, t in enumerate(times)]


def _event(number: int, happened: int, known: int | None, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("place", "early_at", "n", "d", "x", "flag", "label"))
    return {"id": number, "thing": "a", "happened_at": happened, "known_at": known, **empty, "n": 5, **values}


def _micros(seconds: int) -> int:
    return (seconds - 10) * 1_000_000


BY_EVENT = """SELECT l.*, sum(e.n) AS total FROM labels AS l
LEFT JOIN events AS e ON e.thing = l.thing AND e.happened_at < l.at GROUP BY ALL"""


def test_it_names_the_row_the_column_and_both_values() -> None:
    small = World(labels=_labels(20, 40), events=[_event(1, 5, 10), _event(2, 15, 30)])
    found = changes(BY_EVENT, spine=("labels",), key=("label_id",), cuts=[_micros(25)], of=small)
    common = {"cut": moment(25), "label_id": 0, "changed_column": "total", "value_before": "10"}
    # the altered row has 1 - 5
    assert sorted(found, key=lambda row: row["future"]) == [
        {**common, "future": "altered", "value_after": "1"},
        {**common, "future": "deleted", "value_after": "5"},
    ]


def test_rows_after_the_cut_may_change() -> None:
    """Rows are found by their key, whatever comes first in them."""
    small = World(labels=_labels(20, 40), events=[_event(1, 5, 10), _event(2, 15, 30, n=-9)])
    honest = BY_EVENT.replace("happened_at", "known_at").replace("l.*, sum(e.n) AS total", "sum(e.n) AS total, l.*")
    assert changes(honest, spine=("labels",), key=("label_id",), cuts=[_micros(20)], of=small) == []


def test_what_is_known_at_the_very_cut_is_of_the_future_unless_inclusive() -> None:
    small = World(labels=_labels(20), events=[_event(1, 5, 10), _event(2, 15, 20)])
    tied = BY_EVENT.replace("e.happened_at < l.at", "e.known_at <= l.at")
    given: dict[str, Any] = {"spine": ("labels",), "key": ("label_id",), "cuts": [_micros(20)], "of": small}
    assert {row["future"] for row in changes(tied, **given)} == {"deleted", "altered"}
    assert changes(tied, **given, inclusive=True) == []
    assert changes(tied.replace("<=", "<"), **given) == []


def test_the_end_of_a_version_is_known_when_it_ends() -> None:
    prices = [{"id": 1, "thing": "a", "valid_from": 5, "valid_to": 30, "price": 7}]
    small = World(labels=_labels(20), prices=prices)
    sql = """SELECT l.*, p.price, p.valid_to FROM labels AS l LEFT JOIN prices AS p
    ON p.thing = l.thing AND p.valid_from < l.at AND (p.valid_to >= l.at OR p.valid_to IS NULL)"""
    given: dict[str, Any] = {"spine": ("labels",), "key": ("label_id",), "cuts": [_micros(20)], "of": small}
    found = changes(sql, **given)
    assert {row["changed_column"] for row in found} == {"valid_to"}
    assert {row["future"] for row in found} == {"deleted", "altered"}
    assert changes(sql.replace(", p.valid_to FROM", " FROM"), **given) == []


def test_a_row_that_comes_or_goes_is_told() -> None:
    sql = "SELECT l.* FROM labels AS l JOIN events AS e ON e.thing = l.thing AND e.happened_at < l.at"
    small = World(labels=_labels(20), events=[_event(2, 15, 30)])
    (found,) = changes(sql, spine=("labels",), key=("label_id",), cuts=[_micros(25)], of=small)
    told = {k: found[k] for k in ("future", "changed_column", "value_before", "value_after")}
    assert told == {
        "future": "deleted", "changed_column": "(the row)", "value_before": "there", "value_after": "missing",
    }  # fmt: skip


def test_rows_that_occur_twice_are_compared_twice() -> None:
    twice = World(labels=[*_labels(20), *_labels(20)], events=[_event(1, 5, 10)])
    honest = (
        BY_EVENT.replace("happened_at", "known_at")
        .replace(
            "SELECT l.*, sum(e.n) AS total", "SELECT l.*, (SELECT sum(n) FROM events WHERE known_at < l.at) AS total"
        )
        .split("LEFT JOIN")[0]
    )
    assert changes(honest, spine=("labels",), key=("label_id",), cuts=[_micros(20)], of=twice) == []


@pytest.mark.parametrize("column", ["n", "d", "x", "flag", "label", "early_at"])
@pytest.mark.parametrize("value", ["there", "missing"])
def test_every_type_is_altered(column: str, value: str) -> None:
    """What is not known yet is another value, of the same type, and is known at the cut; NULLs too."""
    given = {"n": 5, "d": 2, "x": 0.5, "flag": True, "label": "q", "early_at": 50}
    small = World(
        labels=_labels(20),
        events=[_event(1, 5, 30, **({column: given[column]} if value == "there" else {column: None}))],
    )
    latest = f"""SELECT l.*, max(e."{column}") AS v, count(*) AS c, max(e.known_at) AS k FROM labels AS l
    JOIN events AS e ON e.thing = l.thing GROUP BY ALL"""
    found = changes(latest, spine=("labels",), key=("label_id",), cuts=[_micros(20)], of=small)
    altered = {row["changed_column"]: row["value_after"] for row in found if row["future"] == "altered"}
    assert altered["k"] == str(moment(20))
    if column == "early_at":  # a time, at which an early metric is known: it is moved
        assert ("v" in altered) == (value == "there")
    else:
        assert "v" in altered
        assert altered["v"] is not None


def test_steps_that_the_spine_and_features_share_are_changed_for_features_only() -> None:
    sql = """WITH events AS (SELECT * FROM main.events),
    spine AS (SELECT id AS label_id, thing, happened_at AS at FROM events),
    totals AS (SELECT s.label_id, sum(e.n) AS total
    FROM spine AS s JOIN events AS e ON e.thing = s.thing AND e.{clock} < s.at GROUP BY 1)
    SELECT s.*, t.total FROM spine AS s LEFT JOIN totals AS t ON t.label_id = s.label_id"""
    definitions = manifest()
    events = definitions.models["events"]
    relation = replace(events.relation, name="main.events")
    definitions = replace(definitions, models={**definitions.models, "events": replace(events, relation=relation)})

    def found(clock: str) -> list[dict[str, Any]]:
        connection = duckdb_of(world())
        text = sql.format(clock=clock)
        test = LeakageTest(definitions, text, "at", ("label_id",), ("spine",), False, "duckdb")
        connection.execute(f"CREATE TABLE built AS {text}")
        columns = {name: kind for name, kind, *_ in connection.execute("DESCRIBE built").fetchall()}
        cuts = [cut for (cut,) in connection.execute(test.cut_times("built", 5)).fetchall()]
        return connection.execute(test.statement(columns, {"main.events": COLUMNS["events"]}, cuts)).fetchall()

    assert found("known_at") == []
    assert found("happened_at") != []


def test_a_row_known_bit_by_bit_keeps_what_is_known() -> None:
    """`early_total` is known at early_at, before the row as a whole: its column stays, the others go."""
    small = World(labels=_labels(20), events=[_event(1, 5, 30, early_at=10, label="q")])
    sql = """SELECT l.*, (SELECT sum(n) FROM events WHERE early_at < l.at) AS early,
    (SELECT max(label) FROM events) AS late FROM labels AS l"""
    found = changes(sql, spine=("labels",), key=("label_id",), cuts=[_micros(20)], of=small)
    assert {row["changed_column"] for row in found} == {"late"}
    assert {row["value_after"] for row in found} == {None, "q0"}


def test_cuts_are_times_of_rows_and_always_the_same() -> None:
    sql = compiled(("thing.total to date",))
    test = LeakageTest(manifest(), sql, "at", KEY, ("_spine",), False, "duckdb")
    connection = duckdb_of(world())
    cuts = [[c for (c,) in connection.execute(test.cut_times("labels", 5)).fetchall()] for _ in range(2)]
    assert cuts[0] == cuts[1]
    assert len(set(cuts[0])) == 5
    times = {t for (t,) in connection.execute('SELECT epoch_us("at") FROM labels').fetchall()}
    assert set(cuts[0]) <= times


def test_an_empty_set_leaks_nothing() -> None:
    assert changes(compiled(("thing.total to date",)), of=World(events=[_event(1, 5, 10)])) == []


def test_mistakes_are_named() -> None:
    def inputs(sql: str, *spine: str, **more: Any) -> tuple[str, ...]:
        return LeakageTest(manifest(), sql, "at", ("label_id",), spine, False, "duckdb", **more).inputs()

    with pytest.raises(InvalidDefinitionError, match="not declared when rows of orders are known"):
        inputs("SELECT * FROM labels AS l JOIN orders ON true", "labels")
    with pytest.raises(InvalidDefinitionError, match="rows of labels, orders"):
        inputs("SELECT * FROM labels JOIN orders ON true JOIN events ON true")
    with pytest.raises(UnknownNameError, match="unknown spine 'lables'") as unknown:
        inputs("SELECT * FROM labels", "lables")
    assert unknown.value.near == ("labels",)
    with pytest.raises(InvalidRequestError, match="nothing is left to test"):
        inputs("SELECT * FROM events AS e", "events")
    with pytest.raises(InvalidRequestError, match="can't be read"):
        inputs("SELECT FROM WHERE", "labels")
    with pytest.raises(InvalidRequestError, match="not one query"):
        inputs("SELECT 1; SELECT 2", "labels")
    assert inputs("SELECT * FROM labels JOIN places USING (place)", "labels") == ()
    test = LeakageTest(manifest(), "SELECT * FROM labels", "at", ("id",), ("labels",), False, "duckdb")
    with pytest.raises(UnknownNameError, match="unknown column 'id'"):
        test.statement({"at": "TIMESTAMP", "label_id": "INT"}, {}, [1])
