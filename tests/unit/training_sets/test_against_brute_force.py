from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from brute_force import ANSWERS, check, random_world
from engine import duckdb_of, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import TYPES, manifest

from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

if TYPE_CHECKING:
    from random import Random

SPINE = Spine("labels", at="at", entities={"thing": "thing", "place": "place"})


def _sql(texts: tuple[str, ...], *, inclusive: bool, typed: bool) -> str:
    request = TrainingSetRequest(SPINE, texts, inclusive=inclusive, types=TYPES if typed else {})
    return compile_training_set(manifest(), request, "duckdb").sql


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("inclusive", [False, True])
def test_all_features_in_one_statement(inclusive: bool, typed: bool) -> None:
    texts = tuple(ANSWERS)
    sql = _sql(texts, inclusive=inclusive, typed=typed)

    @settings(max_examples=60, deadline=None)
    @given(st.randoms(use_true_random=False))
    def agrees(rng: Random) -> None:
        world = random_world(rng)
        rows = duckdb_of(world).execute(sql).fetchall()
        check(world, seconds(rows), texts, inclusive=inclusive)

    agrees()
