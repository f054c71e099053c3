"""The probes hold what a proof of equality needs, and show a test that is off by one number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from trees_oracle import CATEGORY, N_FEATURES, outcome, training_rows

from penstock.scoring.trees.predictor import TreePredictor, compile_trees
from penstock.scoring.trees.probes import MOST_ROWS, split_probes

ROWS = training_rows(0)
Y = outcome(ROWS, 0)


@pytest.fixture(scope="module")
def compiled() -> TreePredictor:
    params = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "min_data_per_group": 5}
    return compile_trees(lgb.train(params, lgb.Dataset(ROWS, Y, categorical_feature=[CATEGORY]), 10))


def test_every_threshold_and_its_neighbours_are_there(compiled: TreePredictor) -> None:
    ensemble = compiled.ensemble
    probes = split_probes(ensemble, N_FEATURES)
    for node in np.flatnonzero(ensemble.subset < 0):
        column, threshold = probes[:, ensemble.feature[node]], ensemble.threshold[node]
        single = np.float32(threshold)
        near = [threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf), np.float64(single)]
        near += [np.float64(np.nextafter(single, np.float32(end))) for end in (-np.inf, np.inf)]
        assert np.isin(near, column).all()
    for number in np.unique(ensemble.subset[ensemble.subset >= 0]):
        assert np.isin(ensemble.subsets[number].bounds, probes[:, CATEGORY]).all()
    assert np.isnan(probes).any(axis=0).all()
    assert probes[:, CATEGORY][~np.isnan(probes[:, CATEGORY])].max() > 41


def test_probes_are_the_same_for_a_seed_and_bounded(compiled: TreePredictor) -> None:
    first, again = (split_probes(compiled.ensemble, N_FEATURES, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    rows = np.random.default_rng(0).normal(size=(4000, 2))
    forest = RandomForestRegressor(5, random_state=0).fit(rows, rows.sum(axis=1))
    probes = split_probes(compile_trees(forest).ensemble, 2)
    assert len(probes) == MOST_ROWS
    assert not np.isinf(probes).any()


def test_probes_have_no_value_that_the_model_refuses(compiled: TreePredictor) -> None:
    strict = replace(compiled.ensemble, refuses_nan=True, refuses_infinity=tuple(range(N_FEATURES)), narrow=True)
    assert np.isfinite(split_probes(strict, N_FEATURES, infinities=True).astype(np.float32)).all()
    assert np.isinf(split_probes(compiled.ensemble, N_FEATURES, infinities=True)).any()


def changes() -> list[tuple[str, Any]]:
    """Ways in which one node of an ensemble may be wrong."""
    return [
        ("next number", lambda e, n: {"threshold": _at(e.threshold, n, np.nextafter(e.threshold[n], -np.inf))}),
        ("float32", lambda e, n: {"threshold": _at(e.threshold, n, np.float64(np.float32(e.threshold[n])))}),
        ("NaN", lambda e, n: {"nan_left": _at(e.nan_left, n, not e.nan_left[n])}),
    ]


def _at(array: Any, index: int, value: Any) -> Any:
    changed = array.copy()
    changed[index] = value
    return changed


@pytest.mark.parametrize(("what", "change"), changes(), ids=lambda each: each if isinstance(each, str) else "")
def test_probes_show_one_wrong_root(compiled: TreePredictor, what: str, change: Any) -> None:
    ensemble = compiled.ensemble
    probes = split_probes(ensemble, N_FEATURES)
    right = compiled.raw(probes)
    for root in ensemble.root[ensemble.subset[ensemble.root] < 0]:
        wrong = TreePredictor(replace(ensemble, **change(ensemble, root)))
        if what != "float32" or np.float32(ensemble.threshold[root]) != ensemble.threshold[root]:
            assert not np.array_equal(wrong.raw(probes), right)
