"""Estimators by name: beside the same pipeline written by hand, and with what rows may be."""

from __future__ import annotations

import sys
from typing import Any

import nodes
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from penstock.errors import EnvironmentProblem, UnknownNameError
from penstock.trainers import estimators
from penstock.trainers.estimators import TRAINERS, estimator, library_of, parameters
from penstock.trainers.evaluate import METRICS, measured, predicted, score_names, scores
from penstock.trainers.node import CLASSIFIER, REGRESSOR

NAMED = [(name, task) for name, each in TRAINERS.items() for task in each.classes]
SMALL = {"lightgbm": {"n_estimators": 5}, "xgboost": {"n_estimators": 5}, "random_forest": {"n_estimators": 5},
         "hist_gradient_boosting": {"max_iter": 5}}  # fmt: skip


def fitted(name: str, task: str, frame: pd.DataFrame, **params: Any) -> Any:
    return estimator(name, task, ["x"], ["kind"], SMALL.get(name, {}) | params, 0).fit(frame[["x", "kind"]], frame.y)


@pytest.mark.parametrize(("name", "task"), NAMED)
def test_each_takes_missing_values_and_levels_that_it_has_not_seen(name: str, task: str) -> None:
    frame = nodes.rows(400)
    frame.loc[::9, "x"] = np.nan
    model = fitted(name, task, frame)
    hostile = pd.DataFrame({"x": [np.nan, 1e30, 0.0], "kind": ["'; --", None, "a"]})
    given = predicted(task, model, hostile)
    assert np.isfinite(given).all()
    again = fitted(name, task, frame)
    assert (predicted(task, again, hostile) == given).all(), "the same rows give the same model"
    # Of an unseen level it knows no more than of none at all: the number still counts.
    low, high = predicted(task, model, pd.DataFrame({"x": [-2.0, 2.0], "kind": ["new", "new"]}))
    assert low < high


def test_they_are_what_one_would_write_by_hand() -> None:
    frame = nodes.rows(300)
    frame.loc[::7, "x"] = np.nan
    inputs = frame[["x", "kind"]]
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = make_column_transformer((scaled, ["x"]), (OneHotEncoder(handle_unknown="ignore"), ["kind"]))
    by_hand = make_pipeline(columns, LogisticRegression(C=0.3, max_iter=1000)).fit(inputs, frame.y)
    named = fitted("logistic_regression", CLASSIFIER, frame, C=0.3)
    np.testing.assert_allclose(named.predict_proba(inputs), by_hand.predict_proba(inputs), rtol=1e-12)

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer((codes, ["kind"]), ("passthrough", ["x"]))
    by_hand = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=5, random_state=0)).fit(inputs, frame.y)
    named = fitted("hist_gradient_boosting", REGRESSOR, frame)
    np.testing.assert_allclose(named.predict(inputs), by_hand.predict(inputs), rtol=1e-12)


def test_parameters_are_the_estimators_own() -> None:
    made = estimator("random_forest", CLASSIFIER, ["x"], [], {"max_depth": 3}, 7)[-1]
    assert (made.max_depth, made.random_state) == (3, 7)
    assert estimator("random_forest", CLASSIFIER, ["x"], [], {"random_state": 1}, 7)[-1].random_state == 1
    with pytest.raises(UnknownNameError, match=r"unknown parameter 'max_dept'\n.*\n  did you mean: max_depth"):
        estimator("random_forest", CLASSIFIER, ["x"], [], {"max_dept": 3}, 0)
    assert "C" in (parameters("logistic_regression", CLASSIFIER) or ())
    assert library_of("ridge", REGRESSOR).startswith("sklearn==")


def test_a_library_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert estimators.parameters("lightgbm", CLASSIFIER) is None
    with pytest.raises(
        EnvironmentProblem, match=r"trainer lightgbm needs a library.*\n.*\n  fix: pip install lightgbm"
    ):
        estimator("lightgbm", CLASSIFIER, ["x"], [], {}, 0)


def test_scores_are_those_of_their_definitions() -> None:
    labels, given = np.array([0, 1, 1, 0]), np.array([0.2, 0.9, 0.4, 0.4])
    logs = -np.mean(np.where(labels == 1, np.log(given), np.log(1 - given)))
    wanted = {
        "log_loss": logs, "auc": 3.5 / 4, "brier": np.mean((labels - given) ** 2),
        "mae": np.mean(np.abs(labels - given)), "rmse": np.sqrt(np.mean((labels - given) ** 2)),
    }  # fmt: skip
    for task, metrics in METRICS.items():
        for metric in metrics:
            assert measured(metric, labels, given) == pytest.approx(wanted[metric], rel=1e-12)
        found = scores(task, labels, given, np.full(4, 0.5))
        assert tuple(found) == score_names(task)
    assert found["baseline_mae"] == 0.5
    assert measured("log_loss", [1, 1], [0.5, 0.5]) == pytest.approx(np.log(2)), "a part with one label has a log loss"
