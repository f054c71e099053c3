"""The search for parameters: Optuna proposes, folds in time judge, MLflow keeps each trial."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import EnvironmentProblem, InvalidDefinitionError
from penstock.registry import mlflow_store

_TRIAL = "penstock.trial"
_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"


@dataclass(frozen=True)
class Range:
    """Numbers between two, both included; whole ones if both are."""

    low: float
    high: float
    log: bool = False


Choices = tuple[str | int | float | bool | None, ...]


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Attributes:
        space: What each parameter may be.
        trials: How often.
        metric: What is best at its least, or, for `maximize`, at its most.
        maximize: Whether more of it is better.
        seed: What the sampler's random numbers begin with.
    """

    space: Mapping[str, Range | Choices]
    trials: int
    metric: str
    maximize: bool
    seed: int


@dataclass(frozen=True)
class Found:
    """The best trial, the first of equal ones."""

    params: Mapping[str, Any]
    value: float
    trial: int


class Trials:
    """The trials of a search as runs under MLflow's run of the version; those that are there already need no fit.

    Args:
        run: MLflow's run.
        metric: Its name.
    """

    def __init__(self, run: Any, metric: str) -> None:
        self._run, self._metric = run.info, metric
        match = f"tags.`{_PARENT}` = '{self._run.run_id}'"
        found = mlflow_store.client().search_runs([self._run.experiment_id], match, max_results=50000)
        self._known = {int(each.data.tags[_TRIAL]): each for each in found if _TRIAL in each.data.tags}

    def value(self, number: int, params: Mapping[str, Any]) -> float | None:
        """What a trial came to before; None if it has not, or had other parameters."""
        run = self._known.get(number)
        if run is None or run.info.status != "FINISHED" or run.data.params != _texts(params):
            return None
        return float(run.data.metrics[self._metric])

    def keep(self, number: int, params: Mapping[str, Any], value: float) -> None:
        """Log a trial that is done."""
        from mlflow.entities import Metric, Param

        store = mlflow_store.client()
        begun = self._known.get(number)
        tags = {_PARENT: self._run.run_id, _NAME: f"trial {number}", _TRIAL: str(number)}
        run = begun or store.create_run(self._run.experiment_id, tags=tags)
        store.log_batch(
            run.info.run_id,
            metrics=[Metric(self._metric, value, int(time.time() * 1000), 0)],
            params=[Param(name, text) for name, text in _texts(params).items()],
        )
        store.set_terminated(run.info.run_id)


def search(
    asked: Search,
    score: Callable[[Mapping[str, Any]], float],
    trials: Trials,
    tell: Callable[[str], None] = lambda text: None,
) -> Found:
    """Look for the parameters with the best score: the tree-structured Parzen estimator, one trial after the other.

    The same seed, space and scores always give the same trials. So one that was cut short finds those that it had made,
    and goes on after them.

    Args:
        asked: What is looked for.
        score: The metric of parameters.
        trials: Those that there are, and where others go.
        tell: Called with a line for each trial.

    Raises:
        EnvironmentProblem: when Optuna is not installed.
        InvalidDefinitionError: when no trial has a score that is a number.
    """
    try:
        import optuna
    except ImportError as error:
        raise EnvironmentProblem(
            "a search needs Optuna", where="train, search", fix="pip install penstock[tuning]"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # what a trial raises is raised here
    seen: dict[tuple[str, ...], float] = {}

    def objective(trial: Any) -> float:
        params = {name: _proposed(trial, name, values) for name, values in asked.space.items()}
        value = trials.value(trial.number, params)
        if value is None:
            # A small space is proposed again and again.
            same = tuple(_texts(params).values())
            value = seen[same] if same in seen else score(params)
            trials.keep(trial.number, params, value)
        seen[tuple(_texts(params).values())] = value
        told = ", ".join(f"{name} {text}" for name, text in _texts(params).items())
        tell(f"trial {trial.number + 1} of {asked.trials}: {asked.metric} {value:.4g} with {told}")
        return value

    sampler = optuna.samplers.TPESampler(seed=asked.seed)
    study = optuna.create_study(direction="maximize" if asked.maximize else "minimize", sampler=sampler)
    study.optimize(objective, n_trials=asked.trials)
    if all(math.isnan(value) for value in seen.values()):
        raise InvalidDefinitionError(f"no trial has a {asked.metric}", where="train, search", fix="another metric")
    best = study.best_trial
    return Found(best.params, float(best.value), best.number)


def _proposed(trial: Any, name: str, values: Range | Choices) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(name, values.low, values.high, log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}
