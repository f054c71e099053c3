"""NannyML's side, in its own environment: univariate drift of each day against the reference, all its distances."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd
from protocol import serve

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml

_NUMBERS = ("jensen_shannon", "hellinger", "kolmogorov_smirnov", "wasserstein")
_TEXTS = ("jensen_shannon", "hellinger", "l_infinity", "chi2")
_tables: dict[str, pd.DataFrame] = {}
_columns: dict[str, list[str]] = {}
_fitted: list[Any] = []


def load(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read both tables into memory."""
    _tables.update({name: pd.read_parquet(file) for name, file in asked["files"].items()})
    for frame in _tables.values():
        # it takes no times with a zone
        frame["at"] = frame["at"].dt.tz_localize(None)
    _columns.update(texts=asked["texts"], numbers=asked["numbers"])
    return {"version": version("nannyml")}


def fit(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Learn the reference: bins, and limits by its own days."""
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=[*_columns["numbers"], *_columns["texts"]],
        treat_as_categorical=_columns["texts"],
        timestamp_column_name="at",
        continuous_methods=list(_NUMBERS),
        categorical_methods=list(_TEXTS),
        chunk_period="D",
    )
    _fitted[:] = [calculator.fit(_tables["reference"])]
    return {}


def run(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The distances of the first days."""
    current = _tables["current"]
    some = current[current["at"] < current["at"].min() + pd.Timedelta(days=asked["days"])]
    found = _fitted[0].calculate(some).filter(period="analysis").to_df()
    numbers = {method: {c: found[c, method, "value"].tolist() for c in _columns["numbers"]} for method in _NUMBERS}
    texts = {method: {c: found[c, method, "value"].tolist() for c in _columns["texts"]} for method in _TEXTS}
    return {"numbers": numbers, "texts": texts}


serve({"load": load, "fit": fit, "run": run})
