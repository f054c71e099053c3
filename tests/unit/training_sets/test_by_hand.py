"""Small cases whose answers can be seen with the naked eye."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import pytest
from brute_force import World
from engine import duckdb_of, moment
from worlds import TYPES, manifest

from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

SPINE = Spine("labels", at="at", entities={"thing": "thing"})
EMPTY = dict.fromkeys(("place", "early_at", "n", "d", "x", "flag", "label"))


def _event(happened: int | None, known: int | None, **values: Any) -> dict[str, Any]:
    return {"id": 1, "thing": "a", "happened_at": happened, "known_at": known, **EMPTY, "n": 1, **values}


def _labels(*times: int) -> list[dict[str, Any]]:
    return [{"label_id": i, "thing": "a", "place": None, "at": t} for i, t in enumerate(times)]


def _answers(world: World, text: str, *, types: Any = TYPES, inclusive: bool = False) -> list[Any]:
    request = TrainingSetRequest(SPINE, (f"{text} as answer",), inclusive=inclusive, types=types)
    sql = compile_training_set(manifest(), request, "duckdb").sql
    return [row[0] for row in duckdb_of(world).execute(f"SELECT answer FROM ({sql}) ORDER BY label_id").fetchall()]


@pytest.mark.parametrize("types", [TYPES, {}])
@pytest.mark.parametrize(
    ("known", "strict", "inclusive"),
    [
        # happened at 10, over 7 seconds: it may count from when it is known to 17; asked from 9 to 18
        (10, {11, 12, 13, 14, 15, 16, 17}, {10, 11, 12, 13, 14, 15, 16, 17}),
        (5, {11, 12, 13, 14, 15, 16, 17}, {10, 11, 12, 13, 14, 15, 16, 17}),
        (15, {16, 17}, {15, 16, 17}),
        (16, {17}, {16, 17}),
        (17, set(), {17}),
        (18, set(), set()),
        (None, set(), set()),
    ],
)
def test_first_and_last_instant(known: int | None, strict: set[int], inclusive: set[int], types: Any) -> None:
    asked = list(range(9, 19))
    world = World(labels=_labels(*asked), events=[_event(10, known)])
    for answers, counts in ((strict, False), (inclusive, True)):
        found = _answers(world, "thing.total over 7 seconds", types=types, inclusive=counts)
        assert found == [1 if t in answers else None for t in asked]


def test_a_sum_of_nothing_is_null_and_one_of_zeros_is_zero() -> None:
    world = World(labels=_labels(11, 30), events=[_event(10, 10, n=0)])
    assert _answers(world, "thing.total over 7 seconds") == [0, None]
    assert _answers(world, "thing.flagged over 7 seconds") == [0, 0]  # fill_nulls_with: 0
    assert _answers(world, "thing.kinds over 7 seconds") == [0, 0]


def test_rows_that_have_left_poison_nothing() -> None:
    """NaN, infinity and 1e17 leave no trace: doubles are added up from the rows of each window."""
    poison = [_event(i, i, id=i, x=x) for i, x in enumerate((1e17, float("nan"), float("inf"), -1e17))]
    world = World(labels=_labels(2, 20), events=[*poison, _event(15, 15, id=9, x=0.1), _event(16, 16, id=10, x=0.2)])
    for types in (TYPES, {}):
        before, after = _answers(world, "thing.weight over 7 seconds", types=types)
        assert math.isnan(before)  # while it is there
        assert after == pytest.approx(0.3, rel=1e-15)
        assert _answers(world, "thing.mean_weight over 7 seconds", types=types)[1] == pytest.approx(0.15, rel=1e-15)


def test_integers_and_decimals_are_exact() -> None:
    great = [_event(1, 1, n=9_000_000_000_000_000_001, d=Decimal("9999999999999999.9999"))]
    world = World(labels=_labels(2, 20), events=[*great, _event(15, 15, id=2, n=1, d=Decimal("0.0001"))])
    assert _answers(world, "thing.total over 7 seconds") == [9_000_000_000_000_000_001, 1]
    assert _answers(world, "thing.worth over 7 seconds") == [Decimal("9999999999999999.9999"), Decimal("0.0001")]


@pytest.mark.parametrize(("text", "shape"), [("total", "lifetimes"), ("worth", "lifetimes"), ("weight", "rows")])
def test_the_shape_follows_the_type(text: str, shape: str) -> None:
    def shapes(types: Any) -> tuple[str, ...]:
        request = TrainingSetRequest(SPINE, (f"thing.{text} over 7 seconds",), types=types)
        return compile_training_set(manifest(), request, "duckdb").features[0].shapes

    assert shapes(TYPES) == (shape,)
    assert shapes({}) == ("rows",)
    assert shapes({'"EVENTS"': TYPES["events"]}) == (shape,)


@pytest.mark.parametrize(
    ("text", "declared", "shape"),
    [
        ("read_total", "int", "differences"),
        ("read_mean", "smallint", "differences"),
        ("read_total", "bigint", "lifetimes"),  # a total over all that ever was might overflow
        ("read_total", "double", "rows"),
        ("flagged", None, "lifetimes"),  # each row has a delay of its own
    ],
)
def test_running_totals_are_subtracted_where_they_may_be(text: str, declared: str, shape: str) -> None:
    types = {**TYPES, "readings": {**TYPES["readings"], "value": declared}} if declared else TYPES
    request = TrainingSetRequest(SPINE, (f"thing.{text} over 7 seconds",), types=types)
    compiled = compile_training_set(manifest(), request, "spark")
    assert compiled.features[0].shapes == (shape,)
    assert "ASOF" not in compiled.sql  # to Spark that is an alias


def test_latest_agrees_with_merge_asof() -> None:
    """Where rows are known as they happen, the newest known is what pandas finds."""
    numbers = pd.Series(range(400))
    readings = pd.DataFrame({"id": numbers, "thing": (numbers % 7).map("t{}".format)})
    readings["read_at"] = [moment(s) for s in (numbers * 37 + numbers % 11)]
    readings["value"] = numbers % 13
    labels = pd.DataFrame({"label_id": range(300), "thing": [f"t{i % 9}" for i in range(300)]})
    labels["at"] = [moment(i * 50 + i % 5) for i in range(300)]
    within = pd.Timedelta(seconds=200)
    wanted = pd.merge_asof(
        labels.sort_values("at"),
        readings[["thing", "read_at", "value"]].sort_values("read_at"),
        left_on="at",
        right_on="read_at",
        by="thing",
        tolerance=within,
        allow_exact_matches=False,
    ).sort_values("label_id")
    world = manifest()
    prompt = replace(world.models["readings"], meta={"penstock": {"delay": "0 seconds"}})
    world = replace(world, models={**world.models, "readings": prompt})
    request = TrainingSetRequest(SPINE, ("thing.readings.value within 200 seconds as value",))
    connection = duckdb.connect()
    connection.register("readings", readings)
    connection.register("labels", labels)
    found = connection.execute(compile_training_set(world, request, "duckdb").sql).df().sort_values("label_id")
    pd.testing.assert_series_equal(
        found["value"].astype("float64"), wanted["value"].astype("float64"), check_index=False
    )
    assert wanted["value"].notna().sum() > 100


@pytest.mark.parametrize(
    "relation",
    [
        "labels",
        "main.labels",
        '"main"."labels"',
        "SELECT * FROM labels",
        "(SELECT * FROM labels)",
        "WITH labels AS (SELECT * FROM main.labels) SELECT * FROM labels",
        "SELECT * FROM labels WHERE label_id < 1 UNION ALL SELECT * FROM labels WHERE label_id >= 1",
    ],
)
def test_a_spine_is_a_table_or_a_query(relation: str) -> None:
    world = World(labels=[*_labels(11, 12), *_labels(11)], events=[_event(10, 10)])
    request = TrainingSetRequest(replace(SPINE, relation=relation), ("thing.total to date",))
    compiled = compile_training_set(manifest(), request, "duckdb")
    rows = sorted(duckdb_of(world).execute(compiled.sql).fetchall())
    assert rows == [(0, "a", None, moment(11), 1), (0, "a", None, moment(11), 1), (1, "a", None, moment(12), 1)]
    assert compiled.relations == (("events",) if "SELECT" in relation else (relation, "events"))


def test_only_named_columns_are_kept() -> None:
    world = World(labels=_labels(11), events=[_event(10, 10)])
    request = TrainingSetRequest(replace(SPINE, columns=("at", "label_id")), ("thing.total to date as select",))
    compiled = compile_training_set(manifest(), request, "duckdb")
    result = duckdb_of(world).execute(compiled.sql)
    assert tuple(d[0] for d in result.description) == compiled.columns == ("at", "label_id", "select")
    assert result.fetchall() == [(moment(11), 0, 1)]


def test_a_key_with_two_rows_is_no_key() -> None:
    label = {**_labels(11)[0], "place": "p"}
    world = World(labels=[label], places=[{"place": "p", "country": c} for c in "xy"])
    request = TrainingSetRequest(Spine("labels", at="at", entities={"place": "place"}), ("place.places.country",))
    sql = compile_training_set(manifest(), request, "duckdb").sql
    with pytest.raises(duckdb.Error, match="places has several rows of one place, its declared key"):
        duckdb_of(world).execute(sql).fetchall()


def test_what_is_read_is_told() -> None:
    spine = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
    request = TrainingSetRequest(spine, ("thing.rate to date", "place.places.country", "thing.readings.value as v"))
    compiled = compile_training_set(manifest(), request, "duckdb")
    assert compiled.columns == ("thing__rate__to_date", "place__places__country", "v")
    assert compiled.semantic_models == ("events", "places", "readings")
    assert compiled.relations == ("labels", "events", "places", "readings")
    assert compiled.node_ids == ("model.demo.events",)
    assert [f.shapes for f in compiled.features] == [("running",), ("attribute",), ("latest",)]


@pytest.mark.parametrize("dialect", ["spark", "duckdb"])
def test_metrics_of_one_fact_share_its_scan(dialect: str) -> None:
    texts = (
        "thing.total over 7 seconds",
        "thing.rate over 3 days",
        "thing.mean to date",
        "thing.early_total over 1 day",
    )
    sql = compile_training_set(manifest(), TrainingSetRequest(SPINE, texts, types=TYPES), dialect).sql
    assert sql.count("FROM events") == 1
    assert sql.count("FROM labels") == 1
    assert ("ASOF" in sql) == (dialect == "duckdb")


def test_the_same_request_gives_the_same_sql() -> None:
    request = TrainingSetRequest(SPINE, ("thing.rate over 7 seconds", "thing.readings.value"), types=TYPES)
    assert len({compile_training_set(manifest(), request, "spark").sql for _ in range(3)}) == 1
