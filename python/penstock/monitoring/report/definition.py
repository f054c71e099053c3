"""What a project declares of a model's report: `meta: {penstock: {report: …}}` of the dbt node that trains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.regression import NUMBER_METRICS

_FIX = "report: {rows: a dbt model, score: its column, label: its column, time: its column, slices: [its columns]}"
_OF_ROWS = ("score", "label", "time", "final")
_TEXTS = ("model", "rows", *_OF_ROWS)
_LISTS = ("slices", "metrics")
_KEYS = (*_TEXTS, *_LISTS, "numbers")
_NEEDED = ("score", "label", "time")
_DEFAULT = {False: ("auc", "log_loss"), True: ("rmse", "mean_error")}


@dataclass(frozen=True)
class Declared:
    """What a report is told besides what the project says anyway.

    Attributes:
        model: The registered model.
        rows: The dbt model of scored rows, from which performance is shown; the labels of the record if empty.
        score: Its column of scores.
        label: Its column of what came true.
        time: Its column of a row's time.
        final: Its column of the time from which on the label is final; a label that is there is final, if empty.
        slices: Its columns by whose values performance is shown, too.
        metrics: The metrics that are drawn; slices are shown by the first one.
        numbers: Whether scores are predicted numbers and not probabilities.
    """

    model: str
    rows: str = ""
    score: str = ""
    label: str = ""
    time: str = ""
    final: str = ""
    slices: tuple[str, ...] = ()
    metrics: tuple[str, ...] = _DEFAULT[False]
    numbers: bool = False


def parse_report(declared: Any, *, model: str, where: str) -> Declared:
    """Read a declaration.

    Args:
        declared: The mapping in YAML.
        model: The node's name, the model of a report that names none.
        where: The node's file, for errors.

    Raises:
        UnknownNameError: when it has a key, or names a metric, that there is not.
        InvalidDefinitionError: when a key is missing, a value is wrong, or two of them contradict each other.

    Example:
        >>> parse_report({"metrics": ["auc"]}, model="delay", where="models/delay.yml").metrics
        ('auc',)
    """
    where = f"{where}, report"
    if not isinstance(declared, Mapping):
        raise InvalidDefinitionError(f"report is {declared!r}, not a mapping", where=where, fix=_FIX)
    for key in declared:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS, where=where)
    for key in _TEXTS:
        if key in declared and not (isinstance(declared[key], str) and declared[key]):
            raise InvalidDefinitionError(f"{key} is {declared[key]!r}", where=where, fix="a name")
    for key in _LISTS:
        if key in declared:
            _check_names(key, declared[key], where)
    if not isinstance(declared.get("numbers", False), bool):
        raise InvalidDefinitionError(f"numbers is {declared['numbers']!r}", where=where, fix="true or false")
    _agree(declared, where)
    numbers = bool(declared.get("numbers", False))
    known = NUMBER_METRICS if numbers else METRICS
    for name in declared.get("metrics", ()):
        if name not in known:
            raise UnknownNameError.of("metric", name, known, where=f"{where}, metrics")
    lists = {"metrics": _DEFAULT[numbers]} | {key: tuple(declared[key]) for key in _LISTS if key in declared}
    texts: dict[str, Any] = {"model": model} | {key: str(declared[key]) for key in _TEXTS if key in declared}
    return Declared(**texts, **lists, numbers=numbers)


def _check_names(key: str, given: Any, where: str) -> None:
    if not (isinstance(given, list | tuple) and given and all(isinstance(each, str) and each for each in given)):
        raise InvalidDefinitionError(f"{key} is {given!r}", where=where, fix="a list of names")
    twice = [name for at, name in enumerate(given) if name.lower() in map(str.lower, given[:at])]
    if twice:
        raise InvalidDefinitionError(f"'{twice[0]}' is named twice in {key}", where=where, fix="name it once")


def _agree(declared: Mapping[str, Any], where: str) -> None:
    if "rows" in declared:
        for key in _NEEDED:
            if key not in declared:
                raise InvalidDefinitionError(f"{key} is missing", where=where, fix=_FIX)
        return
    for key in (*_OF_ROWS, "slices"):
        if key in declared:
            raise InvalidDefinitionError(f"{key} without rows", where=where, fix="rows: the dbt model that has it")
