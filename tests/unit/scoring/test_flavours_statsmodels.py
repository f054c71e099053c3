"""Results of statsmodels give what their own `predict` gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from mlflow.models import infer_signature

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours.load import load

RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame({"x": RANDOM.normal(size=200), "z": RANDOM.normal(size=200), "port": ["ams", "fra"] * 100})
TARGET = FRAME["x"] * 2 + (FRAME["port"] == "fra") + RANDOM.normal(size=200)
WITH_CONSTANT = sm.add_constant(FRAME[["x", "z"]])

Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Log results with the signature of a frame."""

    def saved(model: Any, frame: pd.DataFrame, outputs: Any = TARGET) -> str:
        more = {"signature": infer_signature(frame, outputs), "pip_requirements": ["statsmodels"]}
        mlflow.statsmodels.save_model(model, str(tmp_path / "model"), **more)
        return str(tmp_path / "model")

    return saved


def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def test_arrays_in_the_order_of_the_fit(save: Save) -> None:
    model = sm.OLS(TARGET, WITH_CONSTANT).fit()
    turned = WITH_CONSTANT[["z", "const", "x"]]
    source = save(model, WITH_CONSTANT)
    loaded = load(source)
    assert loaded.description.fields == (Field("prediction", "DOUBLE"),)
    given = loaded.predict(table(WITH_CONSTANT), {})["prediction"]
    np.testing.assert_allclose(given, mlflow.pyfunc.load_model(source).predict(WITH_CONSTANT), rtol=1e-12)
    np.testing.assert_allclose(given, model.fittedvalues, rtol=1e-12)
    Path(source).rename(f"{source}_of_arrays")
    turned_given = load(save(model, turned)).predict(table(turned), {})["prediction"]
    np.testing.assert_allclose(turned_given, model.fittedvalues, rtol=1e-12)


@pytest.mark.parametrize("family", [sm.families.Binomial(), sm.families.Gaussian()])
def test_a_formula_with_values_missing(save: Save, family: Any) -> None:
    model = smf.glm("y ~ x + C(port)", FRAME.assign(y=(TARGET > 0).astype(float)), family=family).fit()
    loaded = load(save(model, FRAME.drop(columns="z")))
    given = FRAME.drop(columns="z").copy()
    given.loc[3, "x"] = np.nan
    made = np.asarray(loaded.predict(table(given), {})["prediction"])
    # statsmodels leaves the row out and puts it back as NaN.
    assert np.isnan(made).tolist() == [number == 3 for number in range(200)]
    np.testing.assert_allclose(np.delete(made, 3), np.delete(np.asarray(model.predict(FRAME)), 3), rtol=1e-12)


def test_a_number_a_class_is_a_vector(save: Save) -> None:
    classes = pd.qcut(TARGET, 3, labels=False)
    model = sm.MNLogit(classes, WITH_CONSTANT).fit(disp=False)
    loaded = load(save(model, WITH_CONSTANT, np.asarray(model.predict(WITH_CONSTANT))))
    assert loaded.description.fields == (Field("prediction", "ARRAY<DOUBLE>"),)
    given = loaded.predict(table(WITH_CONSTANT), {})["prediction"]
    np.testing.assert_allclose(np.asarray(given), model.predict(WITH_CONSTANT), rtol=1e-12)


def test_a_constant_is_an_input(save: Save) -> None:
    with pytest.raises(InvalidDefinitionError, match="fitted on const, x, z; its signature has x, z"):
        load(save(sm.OLS(TARGET, WITH_CONSTANT).fit(), FRAME[["x", "z"]]))


def test_a_time_series_is_refused(save: Save) -> None:
    model = sm.tsa.AutoReg(TARGET, lags=1).fit()
    with pytest.raises(InvalidDefinitionError, match="a model of a time series"):
        load(save(model, FRAME[["x"]]))
