from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
import sqlglot
from brute_force import ANSWERS, World, check, merged, random_world
from engine import duckdb_of, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import TYPES, manifest

from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set
from penstock.training_sets.as_of_joins import as_of_joins
from penstock.training_sets.compile import WALKS
from penstock.training_sets.timeline import Step, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
ALL = tuple(ANSWERS)


def _agrees(world: World, texts: tuple[str, ...], *, inclusive: bool = False, typed: bool = True) -> None:
    request = TrainingSetRequest(SPINE, texts, inclusive=inclusive, types=TYPES if typed else {})
    sql = compile_training_set(manifest(), request, "duckdb").sql
    check(world, seconds(duckdb_of(world).execute(sql).fetchall()), texts, inclusive=inclusive)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("inclusive", [False, True])
def test_all_features_in_one_statement(inclusive: bool, typed: bool) -> None:
    @settings(max_examples=15, deadline=None, derandomize=True, database=None)
    @given(st.randoms(use_true_random=False))
    def agrees(rng: Random) -> None:
        _agrees(random_world(rng), ALL, inclusive=inclusive, typed=typed)

    agrees()


@pytest.mark.parametrize("walk", [as_of_joins, timeline])
@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("inclusive", [False, True])
def test_many_histories_at_once(
    inclusive: bool, typed: bool, walk: Callable[..., list[Step]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the joins of DuckDB, and by the union that Spark has: here many more histories can be tried than there."""
    monkeypatch.setitem(WALKS, "duckdb", walk)
    worlds = (random_world(Random(seed), most=18) for seed in range(150))
    _agrees(merged(worlds), ALL, inclusive=inclusive, typed=typed)


@pytest.mark.parametrize("inclusive", [False, True])
def test_every_shape_gives_the_same(inclusive: bool) -> None:
    world = merged(random_world(Random(seed), most=18) for seed in range(60))
    duckdb = duckdb_of(world)
    tried = set()
    for text in ALL:
        (feature,) = compile_training_set(
            manifest(), TrainingSetRequest(SPINE, (text,), types=TYPES), "duckdb"
        ).features
        if len(feature.choices) != 1:
            continue
        for shape in feature.choices[0].others:
            asked = TrainingSetRequest(SPINE, (f"{text} by {shape}",), inclusive=inclusive, types=TYPES)
            compiled = compile_training_set(manifest(), asked, "duckdb")
            assert compiled.features[0].shapes == (shape,)
            check(world, seconds(duckdb.execute(compiled.sql).fetchall()), (text,), inclusive=inclusive)
            tried.add((feature.shapes[0], shape))
    assert tried >= {("differences", "lifetimes"), ("differences", "rows"), ("lifetimes", "rows"), ("running", "rows")}


@pytest.mark.parametrize("text", ALL)
def test_each_feature_by_itself(text: str) -> None:
    _agrees(merged(random_world(Random(seed)) for seed in range(20)), (text,))


@pytest.mark.parametrize("inclusive", [False, True])
def test_the_shapes_for_spark_give_the_same(inclusive: bool) -> None:
    """What is chosen for Spark only, in DuckDB's words; tests/spark runs all of it on Spark."""
    texts = tuple(t for t in ALL if "read" in t)
    spine = replace(SPINE, columns=("label_id", "thing", "place", "at"))
    compiled = compile_training_set(
        manifest(), TrainingSetRequest(spine, texts, inclusive=inclusive, types=TYPES), "spark"
    )
    assert {shape for feature in compiled.features for shape in feature.shapes} == {"latest", "differences"}
    world = merged(random_world(Random(seed), most=18) for seed in range(150))
    sql = sqlglot.transpile(compiled.sql, read="spark", write="duckdb")[0]
    check(world, seconds(duckdb_of(world).execute(sql).fetchall()), texts, inclusive=inclusive)


def test_random_histories_hold_what_they_are_to_test() -> None:
    """At least a third of the rows is known late, and answers are not all empty."""
    world = merged(random_world(Random(seed), most=18) for seed in range(150))
    known = [(e["known_at"], e["happened_at"]) for e in world.events if e["known_at"] is not None]
    assert sum(k > h for k, h in known) > len(known) / 3
    assert sum(k > h + 7 for k, h in known) > len(known) / 8  # later than they leave a window of 7
    assert len(world.labels) > len({label["label_id"] for label in world.labels}) * 1.1
    for table, column in (("labels", "thing"), ("labels", "at"), ("events", "thing"), ("events", "n"), ("events", "x")):
        assert any(row[column] is None for row in getattr(world, table)), f"{table}.{column} is never NULL"
