"""The search beside a plain loop of Optuna and scikit-learn, and what a search that was cut short costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import nodes
import numpy as np
import optuna
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import TimeSeriesSplit

from penstock.errors import InvalidDefinitionError
from penstock.trainers import declared
from penstock.trainers.declaration import parse_training
from penstock.trainers.fitting import Fitting
from penstock.trainers.search import Range, Search, Trials, search

SPACE: dict[str, Any] = {"C": Range(0.01, 10.0, log=True), "fit_intercept": (True, False), "max_iter": Range(50, 60)}


class InMemory(Trials):
    """Trials without MLflow."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[dict[str, Any], float]] = {}

    def value(self, number: int, params: Mapping[str, Any]) -> float | None:
        known = self.kept.get(number)
        return known[1] if known and known[0] == params else None

    def keep(self, number: int, params: Mapping[str, Any], value: float) -> None:
        self.kept[number] = (dict(params), value)


def asked(**more: Any) -> Search:
    given: dict[str, Any] = {"space": SPACE, "trials": 15, "metric": "log_loss", "maximize": False, "seed": 3}
    return Search(**given | more)


def far_from(params: Mapping[str, Any]) -> float:
    return (math.log(params["C"]) - 1) ** 2 + params["fit_intercept"] + abs(params["max_iter"] - 55) / 10


def test_it_finds_what_a_plain_loop_of_optuna_and_scikit_learn_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = nodes.rows(240)
    training = parse_training(
        {
            "rows": "r", "label": "y", "time": "at", "trainer": "logistic_regression", "features": ["x"],
            "params": {"max_iter": 500}, "split": {"folds": 3},
            "search": {"space": {"C": {"low": 0.001, "high": 1.0, "log": True}, "fit_intercept": [True, False]},
                       "trials": 12, "seed": 5},
        },
        model="m", where="m.yml",
    )  # fmt: skip
    kept = InMemory()
    monkeypatch.setattr(declared, "Trials", lambda *_: kept)
    monkeypatch.setattr("mlflow.log_metric", lambda *_: None)
    fitting = Fitting(nodes.node(features=("x",)), frame, ["x"], [], SimpleNamespace())
    looked = declared._asked(training, "classifier", "m")
    assert looked is not None
    found = declared._found(training, looked, fitting)

    inputs, labels = frame[["x"]], frame.y

    def objective(trial: optuna.Trial) -> float:
        c = trial.suggest_float("C", 0.001, 1.0, log=True)
        intercept = trial.suggest_categorical("fit_intercept", [True, False])
        losses = []
        for before, after in TimeSeriesSplit(3).split(frame):
            mean, deviation = inputs.iloc[before].mean(), inputs.iloc[before].std(ddof=0)
            model = LogisticRegression(C=c, fit_intercept=intercept, max_iter=500)
            model.fit((inputs.iloc[before] - mean) / deviation, labels.iloc[before])
            given = model.predict_proba((inputs.iloc[after] - mean) / deviation)[:, 1]
            losses.append(log_loss(labels.iloc[after], given, labels=[0, 1]))
        return float(np.mean(losses))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=5))
    study.optimize(objective, n_trials=12)
    assert [params for params, _ in kept.kept.values()] == [each.params for each in study.trials]
    assert [value for _, value in kept.kept.values()] == pytest.approx([each.value for each in study.trials], rel=1e-9)
    assert found == study.best_params


def test_the_same_seed_looks_at_the_same_and_another_at_others() -> None:
    first, again, other = InMemory(), InMemory(), InMemory()
    found = search(asked(), far_from, first)
    assert search(asked(), far_from, again) == found
    assert again.kept == first.kept
    search(asked(seed=4), far_from, other)
    assert other.kept != first.kept
    assert all(
        isinstance(params["max_iter"], int) and 50 <= params["max_iter"] <= 60 for params, _ in first.kept.values()
    )
    assert found.value == min(value for _, value in first.kept.values())
    most = search(asked(maximize=True), far_from, InMemory())
    assert most.value > found.value


def test_what_was_cut_short_goes_on_where_it_was() -> None:
    whole, trials, told = InMemory(), InMemory(), []
    found = search(asked(), far_from, whole)

    def dying(params: Mapping[str, Any]) -> float:
        if len(trials.kept) == 6:
            raise KeyboardInterrupt
        return far_from(params)

    with pytest.raises(KeyboardInterrupt):
        search(asked(), dying, trials)
    assert len(trials.kept) == 6
    scored: list[Any] = []

    def counted(params: Mapping[str, Any]) -> float:
        scored.append(params)
        return far_from(params)

    assert search(asked(), counted, trials, told.append) == found
    assert trials.kept == whole.kept
    assert len(scored) <= 9, "what there is needs no fit"
    assert told[14].startswith("trial 15 of 15: log_loss "), "and each trial is told"


def test_a_small_space_is_fitted_once_a_place() -> None:
    scored: list[Any] = []

    def counted(params: Mapping[str, Any]) -> float:
        scored.append(params["depth"])
        return float(params["depth"])

    kept = InMemory()
    found = search(asked(space={"depth": (3, 1, 2)}, trials=12), counted, kept)
    assert found.params == {"depth": 1}
    assert sorted(scored) == [1, 2, 3]
    assert len(kept.kept) == 12


def test_scores_that_are_no_numbers() -> None:
    with pytest.raises(InvalidDefinitionError, match="no trial has a log_loss"):
        search(asked(), lambda _: math.nan, InMemory())
    one = search(asked(), lambda params: 0.5 if params["fit_intercept"] else math.nan, InMemory())
    assert (one.value, one.params["fit_intercept"]) == (0.5, True)
