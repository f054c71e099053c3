"""LightGBM's models, scored by the kernel, equal LightGBM's predict bit by bit."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from trees_oracle import CATEGORY, agree, classes, outcome, training_rows

from penstock.scoring.trees.ensemble import NotATreeEnsemble
from penstock.scoring.trees.predictor import compile_trees

QUIET: dict[str, Any] = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "min_data_per_group": 5, "seed": 1}


def trained(label: Any, rounds: int = 12, *, seed: int = 0, categorical: bool = True, **params: Any) -> lgb.Booster:
    rows = training_rows(seed)
    data = lgb.Dataset(rows, label, categorical_feature=[CATEGORY] if categorical else [])
    return lgb.train({**QUIET, **params}, data, rounds)


def check(booster: lgb.Booster, seed: int = 0) -> Any:
    return agree(booster, lambda rows: booster.predict(rows, num_threads=1), seed=seed)


Y = outcome(training_rows(0), 0)
SHAPES: list[dict[str, Any]] = [
    {},
    {"num_leaves": 2},
    {"num_leaves": 32},
    {"num_leaves": 33},
    {"num_leaves": 64, "max_depth": 7},
    {"num_leaves": 120, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0},
    {"max_cat_to_onehot": 100},
    {"use_missing": False},
    {"zero_as_missing": True},
    {"zero_as_missing": True, "num_leaves": 80, "min_data_in_leaf": 1},
    {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1},
    {"boosting": "dart"},
    {"extra_trees": True, "max_bin": 15},
]


@pytest.mark.parametrize("params", SHAPES, ids=str)
def test_shapes_of_trees(params: dict[str, Any]) -> None:
    check(trained(Y, objective="regression", **params))


@pytest.mark.parametrize("objective", ["l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie"])
def test_regressions(objective: str) -> None:
    check(trained(np.abs(Y) + 0.01, objective=objective))


@pytest.mark.parametrize("objective", ["binary", "cross_entropy"])
def test_two_classes(objective: str) -> None:
    check(trained(classes(Y, 2), objective=objective, sigmoid=0.7 if objective == "binary" else 1))


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
@pytest.mark.parametrize("boosting", ["gbdt", "rf"])
def test_many_classes(objective: str, boosting: str) -> None:
    bagging = {"bagging_fraction": 0.6, "bagging_freq": 1}
    check(trained(classes(Y, 4), objective=objective, num_class=4, boosting=boosting, **bagging))


def test_ranks() -> None:
    rows = training_rows(0)
    data = lgb.Dataset(rows, classes(Y, 4), group=[20] * 20)
    check(lgb.train({**QUIET, "objective": "lambdarank"}, data, 10))


def test_one_tree_and_trees_of_one_leaf() -> None:
    check(trained(Y, 1, objective="regression"))
    compiled = check(trained(np.full(400, 3.5), 3, objective="regression"))
    assert compiled.used == ()


def test_an_objective_of_the_users_own_gives_sums() -> None:
    def squared(predicted: Any, data: Any) -> tuple[Any, Any]:
        return predicted - data.get_label(), np.ones_like(predicted)

    check(trained(Y, objective=squared))


@pytest.mark.parametrize("seed", range(1, 9))
def test_random_models(seed: int) -> None:
    random = np.random.default_rng(seed)
    params = {
        "objective": "regression",
        "num_leaves": int(random.integers(2, 100)),
        "min_data_in_leaf": int(random.integers(1, 20)),
        "max_depth": int(random.integers(-1, 12)),
        "zero_as_missing": bool(random.integers(2)),
        "max_cat_to_onehot": int(random.integers(1, 50)),
        "cat_smooth": 1,
    }
    label = outcome(training_rows(seed), seed)
    check(trained(label, 6, seed=seed, categorical=bool(random.integers(2)), **params), seed)


def test_estimators() -> None:
    rows = training_rows(0)
    quiet = {"n_estimators": 8, "verbose": -1, "n_jobs": 1}
    regressor = lgb.LGBMRegressor(**quiet).fit(rows, Y)
    assert agree(regressor, regressor.predict).used == tuple(np.flatnonzero(regressor.feature_importances_))
    for n in (2, 3):
        classifier = lgb.LGBMClassifier(**quiet).fit(rows, classes(Y, n), categorical_feature=[CATEGORY])
        agree(classifier, classifier.predict_proba)


def test_an_estimator_that_stops_early_in_prediction_is_not_represented() -> None:
    model = lgb.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1, pred_early_stop=True)
    with pytest.raises(NotATreeEnsemble, match="stops early"):
        compile_trees(model.fit(training_rows(0), classes(Y, 2)))


@pytest.mark.parametrize("zero_as_missing", [False, True])
def test_thresholds_among_the_numbers_that_count_as_zero(zero_as_missing: bool) -> None:
    """LightGBM's own training puts no threshold there; a model's text may."""
    tiny = ["0", "-0", "1e-36", "-1e-36", "1e-35", "-1e-35", "1.0000000180025095e-35", "-1.0000000180025095e-35"]
    random = np.random.default_rng(0)
    booster = trained(Y, 30, categorical=False, objective="regression", zero_as_missing=zero_as_missing)
    lines = [
        f"threshold={' '.join(random.choice(tiny, len(line.split())))}" if line.startswith("threshold=") else line
        for line in booster.model_to_string().splitlines()
        if not line.startswith("tree_sizes=")
    ]
    check(lgb.Booster(model_str="\n".join(lines)))


def test_the_best_iteration_counts() -> None:
    for boosting in ("gbdt", "rf"):
        bagging = {"bagging_fraction": 0.6, "bagging_freq": 1}
        booster = trained(Y, 12, objective="regression", boosting=boosting, **bagging)
        booster.best_iteration = 5
        assert len(check(booster).ensemble.root) == 5


@pytest.mark.parametrize(
    ("params", "why"),
    [({"linear_tree": True}, "linear"), ({"reg_sqrt": True}, "link"), ({"objective": "cross_entropy_lambda"}, "link")],
)
def test_what_is_not_represented(params: dict[str, Any], why: str) -> None:
    label = classes(Y, 2) if "objective" in params else Y
    with pytest.raises(NotATreeEnsemble, match=why):
        compile_trees(trained(label, 3, **{"objective": "regression", **params}))
