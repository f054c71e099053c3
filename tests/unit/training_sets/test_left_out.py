"""Rows that no row of the spine can see are left out before the pass: by the spine's first and last instants."""

from __future__ import annotations

from random import Random

import pytest
from brute_force import check, random_world
from engine import duckdb_of, seconds
from worlds import TYPES, manifest

from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})
WINDOWS = ("thing.total over 7 seconds", "thing.mean over 7 seconds", "thing.events.label within 9 seconds")


def _sql(texts: tuple[str, ...], *, inclusive: bool = False) -> str:
    return compile_training_set(
        manifest(), TrainingSetRequest(SPINE, texts, inclusive=inclusive, types=TYPES), "duckdb"
    ).sql


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize(
    "texts", [WINDOWS, ("thing.read_total over 7 seconds", "thing.readings.value within 6 seconds as fresh")]
)
def test_short_spines_see_what_they_saw(texts: tuple[str, ...], inclusive: bool) -> None:
    sql = _sql(texts, inclusive=inclusive)
    for seed in range(80):
        world = random_world(Random(seed), most=18)
        # instants close to each other, so that most rows lie outside of what they see
        first = Random(seed).randint(-6, 30)
        world.labels = [la for la in world.labels if la["at"] is None or first <= la["at"] <= first + 4]
        if world.labels:
            check(world, seconds(duckdb_of(world).execute(sql).fetchall()), texts, inclusive=inclusive)


@pytest.mark.parametrize(
    ("texts", "oldest"),
    [
        (WINDOWS, 9),  # the longest of all, in seconds
        (("thing.total over 7 seconds", "thing.total to date"), None),
        (("thing.total over 7 seconds", "thing.events.label"), None),
        (("thing.total over 7 seconds", "thing.early_dated over 6 seconds"), None),  # two event times
    ],
)
def test_rows_that_were_too_old_at_the_first_instant(texts: tuple[str, ...], oldest: int | None) -> None:
    sql = " ".join(_sql(texts).split())
    assert "_time <= ( SELECT MAX(_time) FROM _spine )" in sql
    assert ("MIN(_time)" in sql) is (oldest is not None)
    if oldest is not None:
        assert f">= ( SELECT MIN(_time) FROM _spine ) - {oldest}000000" in sql
