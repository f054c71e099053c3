"""Data that is hard on trees, and the comparison of a compiled ensemble with its library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock.scoring.trees.predictor import TreePredictor, compile_trees
from penstock.scoring.trees.probes import split_probes

Array = np.ndarray[Any, Any]
N_FEATURES = 6
CATEGORY = 3


def training_rows(seed: int, n: int = 400, *, missing: bool = True) -> Array:
    """float64 [n, 6]: normal numbers; tenths; few integers with zeros; categories 0 to 39; a constant; tiny numbers."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, N_FEATURES))
    rows[:, 1] = random.integers(-30, 30, n) / 10
    rows[:, 2] = random.integers(-2, 3, n)
    rows[:, CATEGORY] = random.integers(0, 40, n)
    rows[:, 4] = 7.25
    rows[:, 5] *= 1e-3
    if missing:
        for feature in (0, 1, CATEGORY):
            rows[random.random(n) < 0.1, feature] = np.nan
    return rows


def outcome(rows: Array, seed: int) -> Array:
    """float64 [n], which depends on values, on categories and on what is missing."""
    noise = np.random.default_rng(seed + 1000).normal(size=len(rows)) / 4
    known = np.nan_to_num(rows)
    return known[:, 0] * known[:, 1] + known[:, 2] + np.isnan(rows[:, 0]) + (known[:, CATEGORY] % 7 < 3) + noise


def classes(values: Array, n: int) -> Array:
    """Integers 0 to n - 1, about as many of each."""
    return np.searchsorted(np.quantile(values, np.arange(1, n) / n), values)


def agree(
    model: Any, predict: Callable[[Array], Any], *, missing: bool = True, infinities: bool = True, seed: int = 0
) -> TreePredictor:
    """Compile the model and hold it against its library, bit by bit, on random rows and on the probes of its splits."""
    compiled = compile_trees(model)
    probes = split_probes(compiled.ensemble, compiled.ensemble.n_features, seed=seed, infinities=infinities)
    for rows in (training_rows(seed + 77, 1000, missing=missing), training_rows(seed + 78, 1, missing=False), probes):
        expected = np.asarray(predict(rows), np.float64).reshape(len(rows), -1)
        given = compiled.raw(rows)
        assert given.dtype == np.float64
        np.testing.assert_array_equal(given, expected)
    return compiled


def refuses(compiled: TreePredictor, value: float) -> None:
    """The value in any cell is an error."""
    rows = training_rows(0, 200, missing=False)
    rows[150, 4] = value
    with pytest.raises(ValueError, match="the matrix contains"):
        compiled.raw(rows)
