"""Inputs that an engine does not read: scores are equal bit for bit whatever is in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from penstock.scoring.contract import Loaded
from penstock.scoring.failures import ModelFailed
from penstock.scoring.faster import LIBRARY, candidates, engine_of
from penstock.scoring.flavours.load import load
from penstock.scoring.proof import choose

RANDOM = np.random.default_rng(0)
ROWS = 300
FRAME = pd.DataFrame({name: RANDOM.normal(size=ROWS) for name in "abcd"})
FRAME["kind"], FRAME["port"] = RANDOM.choice(["x", "y"], ROWS), RANDOM.choice(["ams", "fra"], ROWS)
NUMBERS = FRAME[list("dcba")]
TARGET = 10 * (FRAME.a > 0) + 5 * (FRAME.kind == "x")
ENCODE = OneHotEncoder()  # refuses levels that it does not know, and NULL


def lightgbm(inputs: pd.DataFrame) -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(n_estimators=3, num_leaves=2, verbose=-1, n_jobs=1).fit(inputs, FRAME.a > 0)


def xgboost(inputs: pd.DataFrame) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=3, max_depth=1, n_jobs=1).fit(inputs, FRAME.a > 0)


def refusing(inputs: pd.DataFrame) -> Any:
    return GradientBoostingRegressor(n_estimators=3, max_depth=1).fit(inputs, FRAME.a > 0)


def behind(before: Any, last: Any) -> Callable[[pd.DataFrame], Any]:
    return lambda inputs: make_pipeline(before, last).fit(inputs, TARGET)


TREE = DecisionTreeRegressor(max_depth=2)
TREES = RandomForestClassifier(3, max_depth=2, max_features=None, n_jobs=1, random_state=0)
ENCODED = ColumnTransformer(
    [
        ("s", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["d", "b"]),
        ("k", ENCODE, ["kind", "port"]),
        ("a", "passthrough", ["a"]),
    ]
)
MIXED = ColumnTransformer(
    [
        ("p", PCA(2), ["c", "d"]),
        ("k", OrdinalEncoder(), ["kind", "port"]),
        ("a", SimpleImputer(), ["a", "b"]),
    ]
)
LINEAR = ColumnTransformer([("k", ENCODE, ["kind", "port"]), ("n", StandardScaler(), list("abcd"))])
CASES: dict[str, tuple[Callable[[pd.DataFrame], Any], pd.DataFrame, str, set[str]]] = {
    "LightGBM": (lightgbm, NUMBERS, "trees", {"b", "c", "d"}),
    "XGBoost": (xgboost, NUMBERS, "trees", {"b", "c", "d"}),
    "a library that refuses NULL": (refusing, NUMBERS, "trees", {"b", "c", "d"}),
    "trees behind encoders": (behind(ENCODED, TREE), FRAME, "trees", {"b", "c", "d", "port"}),
    "a classifier behind encoders": (behind(ENCODED, TREES), FRAME, "trees", {"b", "c", "d", "port"}),
    "trees behind what mixes inputs": (behind(MIXED, TREE), FRAME, "trees", {"b", "port"}),
    "trees behind a selection": (
        behind(make_pipeline(ENCODED, SelectKBest(k=3)), TREE),
        FRAME,
        "trees",
        {"b", "c", "d", "port"},
    ),
    "zero weights": (behind(LINEAR, Lasso(1.0)), FRAME, "linear", {"b", "c", "d", "port"}),
}


@pytest.fixture
def version(tmp_path: Path) -> Callable[[Any, pd.DataFrame], Loaded]:
    def logged(native: Any, inputs: pd.DataFrame) -> Loaded:
        flavour = getattr(mlflow, type(native).__module__.partition(".")[0])
        more = {"serialization_format": "cloudpickle"} if flavour is mlflow.sklearn else {}
        signature = infer_signature(inputs, native.predict(inputs))
        folder = str(tmp_path / "model")
        flavour.save_model(native, folder, signature=signature, pip_requirements=["mlflow"], **more)
        return load(folder)

    return logged


def table(frame: pd.DataFrame, empty: set[str] | frozenset[str] = frozenset()) -> pa.Table:
    whole = pa.Table.from_pandas(frame, preserve_index=False)
    for name in empty:
        at = whole.column_names.index(name)
        whole = whole.set_column(at, name, pa.nulls(len(whole), whole.schema.field(at).type))
    return whole


@pytest.mark.parametrize("name", CASES)
def test_scores_are_equal_bit_for_bit(name: str, version: Callable[..., Loaded]) -> None:
    fit, frame, engine, unused = CASES[name]
    loaded = version(fit(frame), frame)
    made = engine_of(loaded, engine)
    assert made.unused == unused
    assert made.used == tuple(each for each in frame.columns if each not in unused)
    whole, without = (made.predict(table(frame, empty), {}) for empty in (set(), unused))
    own = loaded.predict(table(frame), {})
    for key, values in whole.items():
        np.testing.assert_array_equal(np.asarray(without[key]), np.asarray(values))
        np.testing.assert_allclose(
            *(pd.factorize(np.asarray(each))[0] if key == "label" else np.asarray(each) for each in (values, own[key])),
            rtol=1e-9,
        )
    if made.contributions is not None:
        for one, other in zip(made.contributions(table(frame)), made.contributions(table(frame, unused)), strict=True):
            np.testing.assert_array_equal(one, other)
    choice = choose(loaded, {engine: made})
    assert choice.evidence[1].equal
    assert choice.used == (tuple(made.used) if choice.engine == engine else tuple(frame.columns))


def test_the_proof_finds_an_engine_that_reads_more_than_it_says(version: Callable[..., Loaded]) -> None:
    loaded = version(lightgbm(NUMBERS), NUMBERS)
    wrong = replace(candidates(loaded)["trees"], unused=frozenset({"a"}))
    choice = choose(loaded, {"trees": wrong})
    assert (choice.engine, choice.used, choice.evidence[1].equal) == (LIBRARY, ("d", "c", "b", "a"), False)


def test_an_input_that_is_read_may_still_be_refused_and_fails_as_with_the_library(
    version: Callable[..., Loaded],
) -> None:
    loaded = version(refusing(NUMBERS), NUMBERS)
    for each in (loaded, engine_of(loaded, "trees")):
        with pytest.raises(ModelFailed, match=r"ValueError: .*NaN"):
            each.predict(table(NUMBERS, {"a"}), {})


def test_a_level_that_is_refused_is_a_row_that_fails(version: Callable[..., Loaded]) -> None:
    loaded = version(behind(LINEAR, Lasso(1.0))(FRAME), FRAME)
    with pytest.raises(ModelFailed, match=r"^input 'kind' has a level that the model does not know") as error:
        engine_of(loaded, "linear").predict(table(FRAME.assign(kind="secret")), {})
    assert "secret" not in str(error.value)
    engine_of(loaded, "linear").predict(table(FRAME.assign(port="an unused one")), {})


def test_the_librarys_engine_reads_all(version: Callable[..., Loaded]) -> None:
    loaded = version(lightgbm(NUMBERS), NUMBERS)
    assert engine_of(loaded, LIBRARY).used == ("d", "c", "b", "a")
