"""Evidently's side, in its own environment: a report of each day against the reference, one distance a column."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd
from protocol import serve

os.environ["DO_NOT_TRACK"] = "1"

from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests.registry import get_stattest
from evidently.legacy.core import ColumnType
from evidently.metrics import ValueDrift

# What has one meaning in both: Evidently's distance of numbers is divided by the reference's standard deviation.
_NUMBER, _TEXT = "wasserstein", "psi"
_tables: dict[str, pd.DataFrame] = {}
_columns: dict[str, list[str]] = {}


def load(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read both tables into memory."""
    _tables.update({name: pd.read_parquet(file) for name, file in asked["files"].items()})
    _columns.update(texts=asked["texts"], numbers=asked["numbers"])
    return {"version": version("evidently")}


def run(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The reports of the first days."""
    kinds = DataDefinition(numerical_columns=_columns["numbers"], categorical_columns=_columns["texts"])
    reference = Dataset.from_pandas(_tables["reference"].drop(columns="at"), data_definition=kinds)
    metrics = [ValueDrift(column=c, method=_NUMBER) for c in _columns["numbers"]]
    metrics += [ValueDrift(column=c, method=_TEXT) for c in _columns["texts"]]
    found = []
    for _, day in _days(asked["days"]):
        current = Dataset.from_pandas(day.drop(columns="at"), data_definition=kinds)
        told = Report(metrics).run(current, reference).dict()["metrics"]
        found.append({each["config"]["column"]: float(each["value"]) for each in told})
    return _as_answer(found)


def bare(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same distances by its functions alone, without a report."""
    reference = _tables["reference"]
    found = []
    for _, day in _days(asked["days"]):
        told: dict[str, float] = {}
        for kind, method, columns in (
            (ColumnType.Numerical, _NUMBER, _columns["numbers"]),
            (ColumnType.Categorical, _TEXT, _columns["texts"]),
        ):
            test = get_stattest(reference[columns[0]], day[columns[0]], kind, method)
            told |= {c: float(test(reference[c], day[c], kind, 0.1).drift_score) for c in columns}
        found.append(told)
    return _as_answer(found)


def _days(days: int) -> Any:
    current = _tables["current"]
    return list(current.groupby(current["at"].dt.date))[:days]


def _as_answer(days: list[dict[str, float]]) -> Mapping[str, Any]:
    spread = _tables["reference"][_columns["numbers"]].std(ddof=0)
    numbers = {c: [day[c] * float(spread[c]) for day in days] for c in _columns["numbers"]}
    return {"numbers": {_NUMBER: numbers}, "texts": {_TEXT: {c: [day[c] for day in days] for c in _columns["texts"]}}}


serve({"load": load, "run": run, "bare": bare})
