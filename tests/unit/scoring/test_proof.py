"""Engines are chosen by cost among those that are equal to the library, and those that are not are found out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature

from penstock.scoring.contract import Loaded
from penstock.scoring.faster import LIBRARY, candidates, engine_of
from penstock.scoring.flavours.load import load
from penstock.scoring.proof import choose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=600), "b": random.integers(0, 30, 600) / 10})
    frame.loc[::7, "b"] = np.nan
    frame["kind"] = random.choice(["x", "y", "z"], 600)
    return frame


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., Loaded]:
    def save(flavour: Any, native: Any, inputs: pd.DataFrame, **more: Any) -> Loaded:
        signature = infer_signature(inputs, native.predict(inputs))
        folder = str(tmp_path / "model")
        flavour.save_model(native, folder, signature=signature, pip_requirements=["mlflow"], **more)
        return load(folder)

    return save


def boosted(logged: Callable[..., Loaded], rows: pd.DataFrame) -> Loaded:
    import lightgbm

    inputs = rows[["b", "a"]]
    native = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=7, verbose=-1, n_jobs=1).fit(inputs, rows.kind)
    return logged(mlflow.lightgbm, native, inputs)


def encoded(numbers: Any) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    return ColumnTransformer([("k", OneHotEncoder(handle_unknown="ignore"), ["kind"]), ("n", numbers, ["a", "b"])])


def forest(logged: Callable[..., Loaded], rows: pd.DataFrame) -> Loaded:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    native = make_pipeline(encoded(SimpleImputer()), RandomForestRegressor(20, max_depth=5, n_jobs=1, random_state=0))
    return logged(mlflow.sklearn, native.fit(rows, rows.a * 2), rows, serialization_format="cloudpickle")


def linear(logged: Callable[..., Loaded], rows: pd.DataFrame) -> Loaded:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    native = make_pipeline(encoded(make_pipeline(SimpleImputer(), StandardScaler())), LogisticRegression())
    return logged(mlflow.sklearn, native.fit(rows, rows.a > 0), rows, serialization_format="cloudpickle")


@pytest.mark.parametrize(
    ("make", "engines"), [(boosted, {"trees"}), (forest, {"trees", "pipeline_trees"}), (linear, {"linear"})]
)
def test_equal_engines_are_found(
    make: Callable[..., Loaded], engines: set[str], logged: Callable[..., Loaded], rows: pd.DataFrame
) -> None:
    loaded = make(logged, rows)
    found = {each.engine: each for each in choose(loaded).evidence}
    assert set(found) == {LIBRARY, *engines}
    names = [each.name for each in loaded.description.inputs]
    table = pa.Table.from_pandas(rows[names], preserve_index=False)
    for engine in engines:
        assert found[engine].equal
        assert (found[engine].difference or 0.0) < 1e-12
        assert found[engine].rows > 2_000
        one, other = (each.predict(table, {}) for each in (loaded, engine_of(loaded, engine)))
        for name, values in one.items():
            if name == "label":
                assert pa.array(other[name]).equals(pa.array(values))
            else:
                np.testing.assert_allclose(other[name], values, rtol=1e-9, atol=1e-14)


def test_the_cheapest_equal_engine_is_chosen(logged: Callable[..., Loaded], rows: pd.DataFrame) -> None:
    loaded = linear(logged, rows)
    choice = choose(loaded)
    costs = {each.engine: each.microseconds or 0.0 for each in choice.evidence}
    assert choice.engine == min(costs, key=lambda name: costs[name])


def wrong_value(table: pa.Table, given: dict[str, Any]) -> dict[str, Any]:
    return {name: values + 1e-6 if name == "probabilities" else values for name, values in given.items()}


def wrong_for_nulls(table: pa.Table, given: dict[str, Any]) -> dict[str, Any]:
    missing = table["b"].is_null().to_numpy()[:, None]
    return {name: np.where(missing, 0.5, v) if name == "probabilities" else v for name, v in given.items()}


def wrong_label(table: pa.Table, given: dict[str, Any]) -> dict[str, Any]:
    return {name: values[::-1] if name == "label" else values for name, values in given.items()}


def fewer_rows(table: pa.Table, given: dict[str, Any]) -> dict[str, Any]:
    return {name: values[1:] for name, values in given.items()}


@pytest.mark.parametrize("spoil", [wrong_value, wrong_for_nulls, wrong_label, fewer_rows])
def test_an_engine_that_differs_is_not_chosen(
    spoil: Callable[..., Any], logged: Callable[..., Loaded], rows: pd.DataFrame
) -> None:
    loaded = boosted(logged, rows)
    good = candidates(loaded)["trees"]
    bad = replace(good, predict=lambda table, params: spoil(table, dict(good.predict(table, params))))
    choice = choose(loaded, {"trees": bad})
    assert choice.engine == LIBRARY
    assert [each.equal for each in choice.evidence] == [True, False]
    assert json.loads(json.dumps(choice.as_json()))[1]["microseconds"] is None


def test_thresholds_are_among_the_rows_of_the_proof(logged: Callable[..., Loaded], rows: pd.DataFrame) -> None:
    """An engine that takes float32's next value below a threshold for the threshold itself is found out."""
    loaded = boosted(logged, rows)
    good = candidates(loaded)["trees"]

    def rounded(table: pa.Table, params: Any) -> Any:
        nudged = [
            pa.array(np.nextafter(c.to_numpy().astype("float32"), np.float32(np.inf)).astype(float)) for c in table
        ]
        return good.predict(pa.table(dict(zip(table.column_names, nudged, strict=True))), params)

    assert choose(loaded, {"trees": replace(good, predict=rounded)}).engine == LIBRARY


def test_a_version_without_other_engines_keeps_its_library(logged: Callable[..., Loaded], rows: pd.DataFrame) -> None:
    from sklearn.neighbors import KNeighborsRegressor

    inputs = rows[["a"]]
    loaded = logged(
        mlflow.sklearn, KNeighborsRegressor().fit(inputs, rows.a), inputs, serialization_format="cloudpickle"
    )
    choice = choose(loaded)
    assert (choice.engine, choice.evidence) == (LIBRARY, ())
