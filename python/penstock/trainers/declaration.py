"""What a project declares of a model's training: `meta: {penstock: {train: …}}` of the dbt node that trains it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.semantic.durations import parse_duration
from penstock.trainers.estimators import TRAINERS, parameters
from penstock.trainers.evaluate import METRICS
from penstock.trainers.node import TASKS
from penstock.trainers.search import Choices, Range

_TEXTS = ("model", "rows", "label", "time", "baseline", "trainer", "task")
_NEEDED = ("rows", "label", "time", "trainer")
_LISTS = ("features", "leave_out")
_KEYS = (*_TEXTS, *_LISTS, "params", "seed", "split", "search")
_SPLIT = ("held_out", "folds", "gap")
_SEARCH = ("space", "trials", "metric", "seed")
_RANGE = ("low", "high", "log")
_FIX = "train: {rows: a dbt model, label: its column, time: its column, trainer: hist_gradient_boosting, …}"
_SPACE = "space: {learning_rate: {low: 0.01, high: 0.3, log: true}, max_depth: [3, 5, null]}"
_MOST = 1000  # trials: each is a run in MLflow


@dataclass(frozen=True)
class SearchDeclared:
    """A search; see `search.Search`. An empty `metric` is the first one of the task."""

    space: Mapping[str, Range | Choices]
    trials: int = 20
    metric: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        model: The name that is registered.
        rows: The dbt model of the training set.
        label: The column to predict.
        time: The column that orders the rows.
        trainer: The estimator, a name of `estimators.TRAINERS`.
        task: `classifier` or `regressor`; empty: what the label's type says.
        features: The inputs; empty: all columns but those of `leave_out`, the label and the time.
        leave_out: Columns that are no inputs.
        baseline: The column whose groups' mean label is the baseline; empty: the mean of all.
        params: The estimator's parameters.
        seed: What its random numbers begin with.
        held_out: The share of rows that is held out, by time.
        folds: In how many folds a search judges.
        gap: How long before each border rows are left out.
        search: Which parameters are looked for; None: none.
    """

    model: str
    rows: str
    label: str
    time: str
    trainer: str
    task: str = ""
    features: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    baseline: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    held_out: float = 0.2
    folds: int = 3
    gap: timedelta = timedelta(0)
    search: SearchDeclared | None = None

    def as_text(self) -> str:
        """All of it, as JSON that compares."""
        return json.dumps(asdict(self), default=str)


def parse_training(declared: Any, *, model: str, where: str) -> Training:
    """Read a declaration.

    Args:
        declared: The mapping in YAML.
        model: The node's name, the model of a declaration that names none.
        where: The node's file, for errors.

    Raises:
        UnknownNameError: when it names a key, a trainer, a parameter or a metric that there is not.
        InvalidDefinitionError: when a key is missing, a value is wrong, or two of them contradict each other.

    Example:
        >>> declared = {"rows": "seen", "label": "is_late", "time": "at", "trainer": "logistic_regression"}
        >>> parse_training(declared, model="delay", where="models/delay.yml").held_out
        0.2
    """
    where = f"{where}, train"
    _mapping(declared, _KEYS, where, _FIX)
    for key in _NEEDED:
        if key not in declared:
            raise InvalidDefinitionError(f"{key} is missing", where=where, fix=_FIX)
    given = {"model": model, **declared}
    for key in _TEXTS:
        if key in given and not (isinstance(given[key], str) and given[key]):
            raise _wrong(key, given[key], where, "a name")
    for key in _LISTS:
        if key in given and not _is_names(given[key]):
            raise _wrong(key, given[key], where, "a list of columns, each once")
    split = _mapping(given.get("split", {}), _SPLIT, f"{where}, split", "split: {held_out: 0.2, folds: 3, gap: 1 day}")
    params = given.get("params", {})
    if not isinstance(params, Mapping):
        raise _wrong("params", params, where, "params: {max_depth: 5}")
    own: dict[str, Any] = {key: given[key] for key in _TEXTS if key in given}
    own |= {key: tuple(given[key]) for key in _LISTS if key in given}
    training = Training(
        **own,
        params=dict(params),
        seed=_whole(given, "seed", where, default=0),
        held_out=_share(split, f"{where}, split"),
        folds=_whole(split, "folds", f"{where}, split", default=3, least=1),
        gap=_gap(split, f"{where}, split"),
        search=_search(given.get("search"), f"{where}, search"),
    )
    _agree(training, where)
    return training


def _agree(training: Training, where: str) -> None:
    if not re.fullmatch(r"\w+", training.model, re.ASCII):
        raise InvalidDefinitionError(
            f"'{training.model}' cannot be a model's name", where=where, fix="letters, digits and _"
        )
    if training.trainer not in TRAINERS:
        raise UnknownNameError.of("trainer", training.trainer, TRAINERS, where=where)
    if training.task and training.task not in TASKS:
        raise UnknownNameError.of("task", training.task, TASKS, where=where)
    tasks = TRAINERS[training.trainer].classes
    if training.task and training.task not in tasks:
        raise InvalidDefinitionError(f"{training.trainer} is no {training.task}", where=where, fix="another trainer")
    if training.features and training.leave_out:
        raise InvalidDefinitionError("features and leave_out", where=where, fix="one of them")
    for key in (training.label, training.time):
        if key in training.features:
            raise InvalidDefinitionError(f"'{key}' is a feature too", where=where, fix="leave it out of features")
        if key == training.baseline:
            raise InvalidDefinitionError(f"'{key}' is the baseline too", where=where, fix="a column that groups rows")
    possible = (training.task,) if training.task else tuple(tasks)
    space = training.search.space if training.search else {}
    for name in (*training.params, *space):
        _known_parameter(str(name), training.trainer, possible, where)
        if name in training.params and name in space:
            raise InvalidDefinitionError(f"'{name}' is given and looked for", where=where, fix="one of them")
    metric = training.search.metric if training.search else ""
    known = [name for task in possible for name in METRICS[task]]
    if metric and metric not in known:
        raise UnknownNameError.of("metric", metric, known, where=f"{where}, search")


def _known_parameter(name: str, trainer: str, tasks: tuple[str, ...], where: str) -> None:
    names = [parameters(trainer, task) for task in tasks]
    known = sorted({each for of_task in names if of_task is not None for each in of_task})
    # Without its library nobody knows; whoever trains has it, and tells.
    if known and name not in known:
        raise UnknownNameError.of("parameter", name, known, where=f"{where}, trainer {trainer}")


def _search(given: Any, where: str) -> SearchDeclared | None:
    if given is None:
        return None
    told = _mapping(given, _SEARCH, where, f"search: {{trials: 20, {_SPACE}}}")
    space = told.get("space")
    if not isinstance(space, Mapping) or not space:
        raise _wrong("space", space, where, _SPACE)
    metric = told.get("metric", "")
    if not isinstance(metric, str):
        raise _wrong("metric", metric, where, "a name, as log_loss")
    trials = _whole(told, "trials", where, default=20, least=1)
    if trials > _MOST:
        raise _wrong("trials", trials, where, f"at most {_MOST}")
    values = {str(name): _values(str(name), each, f"{where}, space") for name, each in space.items()}
    return SearchDeclared(values, trials, metric, _whole(told, "seed", where, default=0))


def _values(name: str, given: Any, where: str) -> Range | Choices:
    if isinstance(given, Mapping):
        told = _mapping(given, _RANGE, f"{where}, {name}", _SPACE)
        low, high, log = told.get("low", math.nan), told.get("high", math.nan), told.get("log", False)
        numbers = _is_number(low) and _is_number(high)
        if not numbers or not isinstance(log, bool) or not low < high or (log and low <= 0):
            raise _wrong(name, dict(given), where, f"low < high, above 0 where log is true: {_SPACE}")
        return Range(low, high, log)
    if not isinstance(given, list | tuple) or not given:
        raise _wrong(name, given, where, _SPACE)
    for each in given:
        if not (each is None or isinstance(each, str | bool) or _is_number(each)):
            raise _wrong(name, given, where, "a list of texts, numbers, true, false and null")
    if len({(type(each), each) for each in given}) < len(given):
        raise _wrong(name, given, where, "each value once")
    return tuple(given)


def _share(split: Mapping[str, Any], where: str) -> float:
    share = split.get("held_out", 0.2)
    if not _is_number(share) or not 0 < share < 1:
        raise _wrong("held_out", share, where, "a share of the rows, between 0 and 1")
    return float(share)


def _gap(split: Mapping[str, Any], where: str) -> timedelta:
    if split.get("gap") is None:
        return timedelta(0)
    try:
        length = parse_duration(str(split["gap"]), where=f"{where}, gap")
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    return timedelta(microseconds=length.microseconds)


def _whole(given: Mapping[str, Any], key: str, where: str, *, default: int, least: int = 0) -> int:
    value = given.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least or value >= 2**31:
        raise _wrong(key, value, where, f"a whole number from {least} on")
    return value


def _mapping(given: Any, keys: tuple[str, ...], where: str, fix: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidDefinitionError(f"it is {given!r}, not a mapping", where=where, fix=fix)
    for key in given:
        if key not in keys:
            raise UnknownNameError.of("key", str(key), keys, where=where)
    return given


def _wrong(key: str, value: Any, where: str, fix: str) -> InvalidDefinitionError:
    return InvalidDefinitionError(f"{key} is {value!r}", where=where, fix=fix)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def _is_names(given: Any) -> bool:
    return (
        isinstance(given, list | tuple)
        and bool(given)
        and all(isinstance(each, str) and each for each in given)
        and len(set(given)) == len(given)
    )
