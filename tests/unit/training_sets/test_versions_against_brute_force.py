"""Histories of corrections and deletes: every feature as the evaluator in plain Python has it."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from engine import duckdb_of, seconds
from histories import ANSWERS, COLUMNS, History, apart, compare_all, merged, random_history
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from versioned import SPINE, TYPES, versioned_manifest

from penstock.training_sets import TrainingSetRequest, compile_training_set
from penstock.training_sets.as_of_joins import as_of_joins
from penstock.training_sets.compile import WALKS
from penstock.training_sets.timeline import Step, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = tuple(ANSWERS)


def _agrees(histories: list[History], texts: tuple[str, ...], *, inclusive: bool = False, typed: bool = True) -> None:
    request = TrainingSetRequest(SPINE, texts, inclusive=inclusive, types=TYPES if typed else {})
    sql = compile_training_set(versioned_manifest(), request, "duckdb").sql
    rows = seconds(duckdb_of(merged(histories), COLUMNS).execute(sql).fetchall())
    compare_all(histories, rows, texts, inclusive=inclusive)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("inclusive", [False, True])
def test_all_features_in_one_statement(inclusive: bool, typed: bool) -> None:
    # the statement is long and a failing world is small: shrinking it takes minutes and helps little
    @settings(max_examples=6, deadline=None, derandomize=True, database=None, phases=(Phase.generate,))
    @given(st.randoms(use_true_random=False))
    def agrees(rng: Random) -> None:
        _agrees([random_history(rng)], ALL, inclusive=inclusive, typed=typed)

    agrees()


@pytest.mark.parametrize("walk", [as_of_joins, timeline])
@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("inclusive", [False, True])
def test_many_histories_at_once(
    inclusive: bool, typed: bool, walk: Callable[..., list[Step]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WALKS, "duckdb", walk)
    histories = apart(random_history(Random(seed), most=9) for seed in range(120))
    _agrees(histories, ALL, inclusive=inclusive, typed=typed)


@pytest.mark.parametrize("text", ALL)
def test_each_feature_by_itself(text: str) -> None:
    _agrees(apart(random_history(Random(seed)) for seed in range(20)), (text,))
