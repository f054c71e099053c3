"""XGBoost's models, scored by the kernel, equal XGBoost's predict bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from trees_oracle import CATEGORY, N_FEATURES, agree, classes, outcome, refuses, training_rows

from penstock.scoring.trees.ensemble import NotATreeEnsemble
from penstock.scoring.trees.predictor import compile_trees

TYPES = ["c" if feature == CATEGORY else "q" for feature in range(N_FEATURES)]
Y = outcome(training_rows(0), 0)


def matrix(rows: Any, label: Any = None, *, categorical: bool = True) -> xgb.DMatrix:
    if not categorical:
        return xgb.DMatrix(rows, label, nthread=1)
    return xgb.DMatrix(rows, label, feature_types=TYPES, enable_categorical=True, nthread=1)


def check(label: Any, rounds: int = 12, *, seed: int = 0, categorical: bool = True, **params: Any) -> Any:
    data = matrix(training_rows(seed), label, categorical=categorical)
    booster = xgb.train({"nthread": 1, "seed": seed, **params}, data, rounds)
    return agree(booster, lambda rows: booster.predict(matrix(rows, categorical=categorical)), seed=seed)


SHAPES: list[dict[str, Any]] = [
    {},
    {"max_depth": 1},
    {"max_depth": 5},
    {"max_depth": 9, "min_child_weight": 0},
    {"grow_policy": "lossguide", "max_leaves": 60, "max_depth": 0},
    {"max_cat_to_onehot": 100},
    {"max_cat_to_onehot": 1, "max_cat_threshold": 8},
    {"num_parallel_tree": 4, "subsample": 0.5, "colsample_bynode": 0.5},
    {"base_score": 0.25},
]


@pytest.mark.parametrize("params", SHAPES, ids=str)
@pytest.mark.parametrize("categorical", [True, False])
def test_shapes_of_trees(params: dict[str, Any], categorical: bool) -> None:
    check(Y, categorical=categorical, **params)


@pytest.mark.parametrize(
    "objective",
    ["reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "count:poisson", "reg:gamma", "reg:tweedie"],
)
def test_regressions(objective: str) -> None:
    alpha = {"quantile_alpha": 0.7} if "quantile" in objective else {}
    check(np.abs(Y) + 0.01, objective=objective, **alpha)


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:logistic"])
@pytest.mark.parametrize("base_score", [{}, {"base_score": 0.3}], ids=str)
def test_two_classes(objective: str, base_score: dict[str, float]) -> None:
    check(classes(Y, 3) > 0, objective=objective, **base_score)


def test_sums_far_from_zero() -> None:
    check(classes(Y, 2), 40, objective="binary:logistic", learning_rate=5, reg_lambda=0, min_child_weight=0)


@pytest.mark.parametrize("n", [3, 9])
def test_many_classes(n: int) -> None:
    check(classes(Y, n), objective="multi:softprob", num_class=n)


def test_one_tree_and_trees_of_one_leaf() -> None:
    check(Y, 1)
    assert check(np.full(400, 3.5), 3).used == ()


@pytest.mark.parametrize("seed", range(1, 7))
def test_random_models(seed: int) -> None:
    random = np.random.default_rng(seed)
    params = {
        "max_depth": int(random.integers(1, 12)),
        "min_child_weight": int(random.integers(0, 10)),
        "tree_method": str(random.choice(["hist", "approx"])),
        "max_cat_to_onehot": int(random.integers(1, 50)),
    }
    check(outcome(training_rows(seed), seed), 6, seed=seed, categorical=bool(random.integers(2)), **params)


def test_estimators() -> None:
    rows = training_rows(0)
    options = {"n_estimators": 8, "n_jobs": 1, "enable_categorical": True, "feature_types": TYPES}
    for regressor in (xgb.XGBRegressor(**options), xgb.XGBRFRegressor(**options)):
        regressor.fit(rows, Y)
        agree(regressor, regressor.predict)
    for n in (2, 3):
        classifier = xgb.XGBClassifier(**options).fit(rows, classes(Y, n))
        agree(classifier, classifier.predict_proba)


def test_the_best_iteration_counts_for_an_estimator() -> None:
    rows, other = training_rows(0), training_rows(5)
    model = xgb.XGBRegressor(n_estimators=100, learning_rate=0.9, early_stopping_rounds=2, n_jobs=1)
    model.fit(rows, Y, eval_set=[(other, outcome(other, 5))], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    agree(model, model.predict)
    booster = model.get_booster()
    agree(booster, lambda given: booster.predict(xgb.DMatrix(given)))


def test_a_booster_refuses_infinities() -> None:
    refuses(check(Y, 2), np.inf)
    refuses(check(Y, 2), 1e39)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (xgb.XGBRegressor(booster="dart"), "dart"),
        (xgb.XGBRegressor(booster="gblinear"), "gblinear"),
        (xgb.XGBRegressor(missing=-1.0), "missing value"),
        (xgb.XGBRegressor(multi_strategy="multi_output_tree"), "targets"),
        (xgb.XGBClassifier(objective="binary:hinge"), "link"),
        (xgb.XGBClassifier(objective="reg:squarederror"), "no probabilities"),
    ],
)
def test_what_is_not_represented(model: Any, why: str) -> None:
    model.set_params(n_estimators=2, n_jobs=1)
    several = np.column_stack([Y, -Y]) if why == "targets" else Y
    model.fit(training_rows(0, missing=False), classes(Y, 2) if isinstance(model, xgb.XGBClassifier) else several)
    with pytest.raises(NotATreeEnsemble, match=why):
        compile_trees(model)
