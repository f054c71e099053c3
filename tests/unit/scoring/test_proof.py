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


def refusing(logged: Callable[..., Loaded], rows: pd.DataFrame) -> Loaded:
    """Two encoders that each refuse the other's levels, and numbers that are levels."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import PoissonRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    kinds = rows.assign(port=np.where(rows.a > 0, "ams", "fra"), zone=(rows.a * 2).round()).drop(columns="b")
    before = ColumnTransformer([("k", OneHotEncoder(), ["kind", "port", "zone"]), ("n", StandardScaler(), ["a"])])
    native = make_pipeline(before, PoissonRegressor())
    return logged(mlflow.sklearn, native.fit(kinds, rows.a.abs()), kinds, serialization_format="cloudpickle")


def of_statsmodels(kind: str) -> Callable[..., Loaded]:
    def make(logged: Callable[..., Loaded], rows: pd.DataFrame) -> Loaded:
        import statsmodels.api as sm

        frame = sm.add_constant(rows[["a"]].assign(c=rows.a**2 / 50))
        made = {
            "OLS": lambda: sm.OLS(rows.a * 2 + 1, frame).fit(),
            "Poisson": lambda: sm.GLM(rows.a.abs().round(), frame / 1e4, family=sm.families.Poisson()).fit(),
            "Binomial": lambda: sm.GLM(rows.kind == "x", frame, family=sm.families.Binomial()).fit(),
            "Logit": lambda: sm.Logit(rows.kind == "x", frame).fit(disp=0),
        }[kind]()
        return logged(mlflow.statsmodels, made, frame[["c", "const", "a"]])

    return make


@pytest.mark.parametrize(
    ("make", "engines"),
    [
        (boosted, {"trees"}),
        (forest, {"trees", "pipeline_trees"}),
        (linear, {"linear"}),
        (refusing, {"linear"}),
        *((of_statsmodels(kind), {"linear"}) for kind in ("OLS", "Poisson", "Binomial", "Logit")),
    ],
)
def test_equal_engines_are_found(
    make: Callable[..., Loaded], engines: set[str], logged: Callable[..., Loaded], rows: pd.DataFrame
) -> None:
    loaded = make(logged, rows)
    found = {each.engine: each for each in choose(loaded).evidence}
    assert set(found) == {LIBRARY, *engines}
    names = [each.name for each in loaded.description.inputs]
    whole = rows.assign(port="ams", zone=1.0, const=1.0, c=rows.a)
    table = pa.Table.from_pandas(whole[names], preserve_index=False)
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


def test_texts_are_drawn_from_their_own_columns_encoder(logged: Callable[..., Loaded], rows: pd.DataFrame) -> None:
    """Else a library that refuses other levels would refuse all rows, and an engine that is wrong be equal to it."""
    loaded = refusing(logged, rows)
    good = candidates(loaded)["linear"]
    drawn: list[pa.Table] = []

    def wrong(table: pa.Table, params: Any) -> Any:
        drawn.append(table)
        return {"prediction": np.asarray(good.predict(table, params)["prediction"]) + 1}

    choice = choose(loaded, {"linear": replace(good, predict=wrong)})
    assert (choice.engine, choice.evidence[1].equal) == (LIBRARY, False)
    assert {name: set(drawn[0][name].to_pylist()) for name in ("kind", "port", "zone")} == {
        each.name: set(each.levels) for each in loaded.description.inputs if each.levels
    }


def test_what_the_library_refuses_at_all_proves_nothing(logged: Callable[..., Loaded], rows: pd.DataFrame) -> None:
    def refuse(table: pa.Table, params: Any) -> Any:
        raise ValueError("no row is good enough")

    loaded = replace(boosted(logged, rows), predict=refuse)
    choice = choose(loaded, {"trees": replace(candidates(loaded)["trees"], predict=refuse)})
    assert (choice.engine, choice.evidence) == (LIBRARY, ())


def test_openmp_has_one_thread_while_costs_are_taken(logged: Callable[..., Loaded], rows: pd.DataFrame) -> None:
    from threadpoolctl import threadpool_info

    loaded = boosted(logged, rows)
    threads: set[int] = set()

    def seen(table: pa.Table, params: Any) -> Any:
        threads.update(each["num_threads"] for each in threadpool_info())
        return loaded.predict(table, params)

    choose(replace(loaded, predict=seen), {"trees": candidates(loaded)["trees"]})
    assert threads == {1}


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
