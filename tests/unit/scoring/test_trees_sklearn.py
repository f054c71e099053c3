"""scikit-learn's models, scored by the kernel, equal its predict and predict_proba bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from trees_oracle import CATEGORY, N_FEATURES, agree, classes, outcome, refuses, training_rows

from penstock.scoring.trees.ensemble import NotATreeEnsemble
from penstock.scoring.trees.predictor import compile_trees

Y = outcome(training_rows(0), 0)


def check(model: Any, label: Any, *, seed: int = 0, missing: bool = True) -> Any:
    model.fit(training_rows(seed, missing=missing), label)
    predict = model.predict_proba if hasattr(model, "classes_") else model.predict
    return agree(model, predict, missing=missing, seed=seed)


FEW: dict[str, Any] = {"n_estimators": 8, "random_state": 0}


@pytest.mark.parametrize("options", [{}, {"max_depth": 1}, {"max_leaf_nodes": 40}, {"max_depth": 8}], ids=str)
@pytest.mark.parametrize("n_classes", [0, 2, 5])
def test_forests_and_trees(options: dict[str, Any], n_classes: int) -> None:
    if n_classes:
        models: list[Any] = [RandomForestClassifier(**FEW), ExtraTreesClassifier(**FEW), DecisionTreeClassifier()]
        models.append(ExtraTreeClassifier(random_state=0))
    else:
        models = [RandomForestRegressor(**FEW), ExtraTreesRegressor(**FEW), DecisionTreeRegressor()]
        models.append(ExtraTreeRegressor(random_state=0))
    for model in models:
        check(model.set_params(**options), classes(Y, n_classes) if n_classes else Y)


@pytest.mark.parametrize("criterion", ["absolute_error", "poisson"])
def test_criteria_of_regressors(criterion: str) -> None:
    compiled = check(RandomForestRegressor(**FEW, criterion=criterion, max_depth=4), np.abs(Y), missing=False)
    refuses(compiled, np.inf)


def test_one_tree_and_trees_of_one_leaf() -> None:
    check(RandomForestRegressor(n_estimators=1, random_state=0), Y)
    assert check(RandomForestRegressor(**FEW), np.full(400, 3.5)).used == ()
    assert check(HistGradientBoostingRegressor(max_iter=3), np.full(400, 3.5)).used == ()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_gradient_boosting_regressors(loss: str) -> None:
    compiled = check(GradientBoostingRegressor(**FEW, loss=loss), Y, missing=False)
    refuses(compiled, np.nan)
    refuses(compiled, -np.inf)
    refuses(compiled, 1e39)


@pytest.mark.parametrize(("n_classes", "loss"), [(2, "log_loss"), (2, "exponential"), (3, "log_loss"), (9, "log_loss")])
def test_gradient_boosting_classifiers(n_classes: int, loss: str) -> None:
    check(GradientBoostingClassifier(**FEW, loss=loss, max_depth=6), classes(Y, n_classes), missing=False)


@pytest.mark.parametrize("init", ["zero", DummyRegressor(strategy="constant", constant=4.5)], ids=str)
def test_gradient_boosting_starts(init: Any) -> None:
    check(GradientBoostingRegressor(**FEW, init=init), Y, missing=False)


@pytest.mark.parametrize("categorical", [None, [CATEGORY], [2, CATEGORY]], ids=str)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "gamma", "poisson", "quantile"])
def test_histogram_regressors(categorical: Any, loss: str) -> None:
    options = {"quantile": 0.6} if loss == "quantile" else {}
    model = HistGradientBoostingRegressor(max_iter=8, loss=loss, categorical_features=categorical, **options)
    check(model, np.abs(Y) + 0.1)


@pytest.mark.parametrize("n_classes", [2, 3, 9])
@pytest.mark.parametrize("leaves", [2, 31, 60])
def test_histogram_classifiers(n_classes: int, leaves: int) -> None:
    options = {"max_leaf_nodes": leaves, "min_samples_leaf": 3, "categorical_features": [CATEGORY]}
    check(HistGradientBoostingClassifier(max_iter=5, **options), classes(Y, n_classes))


def test_categories_that_are_any_numbers() -> None:
    rows = training_rows(0)
    values = np.array([-7.5, -1.0, 0.0, 0.25, 3.0, 1e6])
    rows[:, CATEGORY] = np.where(
        np.isnan(rows[:, CATEGORY]), np.nan, values[np.nan_to_num(rows[:, CATEGORY]).astype(int) % 6]
    )
    label = np.nan_to_num(rows[:, CATEGORY]) % 2 + Y
    model = HistGradientBoostingRegressor(max_iter=8, categorical_features=[CATEGORY]).fit(rows, label)
    compiled = agree(model, model.predict)
    assert CATEGORY in compiled.used
    rows[7, CATEGORY] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        compiled.raw(rows)


@pytest.mark.parametrize("seed", range(1, 7))
def test_random_models(seed: int) -> None:
    random = np.random.default_rng(seed)
    label = outcome(training_rows(seed), seed)
    shape = {"max_depth": int(random.integers(1, 14)), "min_samples_leaf": int(random.integers(1, 9))}
    check(RandomForestRegressor(n_estimators=4, random_state=seed, **shape), label, seed=seed)
    check(RandomForestClassifier(n_estimators=4, random_state=seed, **shape), classes(label, 3), seed=seed)
    categorical = [CATEGORY] if seed % 2 else None
    check(HistGradientBoostingRegressor(max_iter=4, categorical_features=categorical, **shape), label, seed=seed)


def test_matrices_of_any_layout() -> None:
    model = RandomForestRegressor(**FEW).fit(training_rows(0), Y)
    compiled, rows = compile_trees(model), training_rows(3, 9000)
    expected = model.predict(rows)[:, None]
    read_only = rows.copy()
    read_only.flags.writeable = False
    wide = np.zeros((2 * len(rows), 2 * N_FEATURES))
    wide[::2, ::2] = rows
    for matrix in (rows, np.asfortranarray(rows), read_only, wide[::2, ::2]):
        np.testing.assert_array_equal(compiled.raw(matrix), expected)
    assert compiled.raw(rows[:0]).shape == (0, 1)
    assert compiled.size > 1000
    with pytest.raises(ValueError, match="a float64 matrix of 6 columns"):
        compiled.raw(rows[:, :5])
    with pytest.raises(ValueError, match="a float64 matrix"):
        compiled.raw(rows.astype(np.float32))


class Own(RandomForestRegressor):
    """Somebody's own estimator, which may predict in a way of its own."""


def test_what_is_not_represented() -> None:
    rows = training_rows(0, missing=False)
    words = pd.DataFrame(rows).assign(word=pd.Categorical(np.where(Y > 0, "high", "low")))
    several = np.column_stack([Y, -Y])
    cases = [
        (RandomForestRegressor(**FEW).fit(rows, several), "several outputs"),
        (GradientBoostingRegressor(**FEW, init=LinearRegression()).fit(rows, Y), "starts from a LinearRegression"),
        (HistGradientBoostingRegressor(max_iter=3).fit(words.rename(columns=str), Y), "are not numbers"),
        (AdaBoostRegressor(n_estimators=2).fit(rows, Y), "AdaBoostRegressor is no tree"),
        (Own(**FEW).fit(rows, Y), "of no library that is known"),
        (RandomForestRegressor(), "is not built as expected"),
        (object(), "of no library that is known"),
    ]
    for model, why in cases:
        with pytest.raises(NotATreeEnsemble, match=why):
            compile_trees(model)
