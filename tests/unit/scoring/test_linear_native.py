"""Linear models over Arrow columns against the estimator itself, and exact contributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
from pipelines import INPUTS, TARGETS, TEXTS, arrow, fitted, told
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock.scoring.contract import Description, Field, Input
from penstock.scoring.linear.formula import NotLinear, UnknownLevel
from penstock.scoring.linear.from_sklearn import from_sklearn
from penstock.scoring.linear.from_statsmodels import from_statsmodels
from penstock.scoring.linear.native import contributions, explainer, predictor, raw_scores


def described(*fields: str, classes: tuple[str, ...] = ()) -> Description:
    inputs = tuple(Input(name, "DOUBLE", required=False) for name in INPUTS)
    return Description(inputs, tuple(Field(name, "DOUBLE") for name in fields), classes)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(8))
def test_native_scores_are_equal_to_the_estimators(seed: int, target: str) -> None:
    model, frame = fitted(seed, target)
    formula = from_sklearn(model)
    table = arrow(frame)
    expected = told(model, frame)
    if target in ("two", "three"):
        made = predictor(formula, described("label", classes=tuple(map(str, model.classes_))))(table, {})
        np.testing.assert_allclose(made["probabilities"], expected, rtol=1e-10, atol=1e-12)
        assert made["label"].to_pylist() == model.predict(frame).tolist()
    elif target == "several":
        made = predictor(formula, described("x", "y"))(table, {})
        np.testing.assert_allclose(np.column_stack([made["x"], made["y"]]), expected, rtol=1e-10, atol=1e-12)
        vector = predictor(formula, described("prediction"))(table, {})["prediction"]
        np.testing.assert_allclose(vector, expected, rtol=1e-10, atol=1e-12)
    else:
        made = predictor(formula, described("prediction"))(table, {})
        np.testing.assert_allclose(made["prediction"], expected, rtol=1e-10, atol=1e-12)


def test_dictionaries_chunks_and_no_rows_are_scored_alike() -> None:
    model, frame = fitted(2, "number")
    formula, table = from_sklearn(model), arrow(frame)
    plain = raw_scores(formula, table)
    coded = table
    for name in TEXTS:
        at = coded.column_names.index(name)
        coded = coded.set_column(at, name, coded.column(name).dictionary_encode())
    large = table.set_column(4, "carrier", table.column("carrier").cast(pa.large_string()))
    for other in (
        coded,
        large,
        pa.concat_tables([table.slice(0, 7), table.slice(7)]),
        pa.concat_tables([coded.slice(0, 7), coded.slice(7)]),
    ):
        np.testing.assert_array_equal(raw_scores(formula, other), plain)
    assert raw_scores(formula, table.slice(0, 0)).shape == (0, 1)
    lost = table.set_column(4, "carrier", pa.chunked_array([pa.nulls(table.num_rows)]))
    np.testing.assert_allclose(raw_scores(formula, lost)[:, 0], told(model, frame.assign(carrier=None)), rtol=1e-10)


def test_a_row_that_lacks_what_the_model_needs_is_null() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [1.0, 0.0, 0.0]})
    formula = from_sklearn(LinearRegression().fit(frame, [1, 2, 3]))
    table = pa.table({"a": [1.0, None, float("nan")], "b": [1, 2, 3]})
    made = predictor(formula, described("prediction"))(table, {})["prediction"]
    assert made.is_null().to_pylist() == [False, True, True]


def test_a_level_that_the_model_refuses_is_an_error_without_the_level() -> None:
    train = pd.DataFrame({"c": ["x", "y", "z"]})
    formula = from_sklearn(make_pipeline(OneHotEncoder(), Ridge()).fit(train, [1, 2, 4]))
    assert np.isnan(raw_scores(formula, pa.table({"c": ["x", None]}))[:, 0]).tolist() == [False, True]
    with pytest.raises(UnknownLevel, match="input 'c'") as told_error:
        raw_scores(formula, pa.table({"c": ["x", "secret"]}))
    assert "secret" not in str(told_error.value)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(4))
def test_contributions_sum_to_the_raw_score(seed: int, target: str) -> None:
    model, frame = fitted(seed, target)
    formula, table = from_sklearn(model), arrow(frame)
    for output in range(len(formula.intercepts)):
        base, matrix = contributions(formula, table, output)
        assert matrix.shape == (len(frame), len(formula.used))
        np.testing.assert_allclose(base + matrix.sum(axis=1), raw_scores(formula, table)[:, output], atol=1e-10)


def test_a_contribution_is_the_weight_times_the_distance_from_the_mean() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(5, 2, (50, 2)), columns=["a", "b"])
    y = frame["a"] - 2 * frame["b"] + rng.normal(size=50)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, y)
    base, matrix = contributions(from_sklearn(model), arrow(frame))
    slopes = LinearRegression().fit(frame, y).coef_
    np.testing.assert_allclose(matrix, (frame - frame.mean()) * slopes, rtol=1e-9)
    assert base == pytest.approx(y.mean())


def test_the_engine_explains_what_it_scores() -> None:
    """By hand: a coefficient of a scaled number times its distance from the mean, and the weight of a level."""
    frame = pd.DataFrame({"b": [1.0, 2.0, 6.0, 7.0], "k": ["x", "y", "y", "x"], "a": [5.0, 5.5, 7.0, 9.0]})
    scaler = StandardScaler().fit(frame[["a", "b"]])
    before = ColumnTransformer([("n", StandardScaler(), ["a", "b"]), ("k", OneHotEncoder(), ["k"])])
    model = make_pipeline(before, LogisticRegression()).fit(frame, [0, 1, 1, 0])
    of_a, of_b, of_x, of_y = model[-1].coef_[0]
    explain = explainer(from_sklearn(model))
    assert explain is not None
    base, matrix = explain(arrow(frame))
    by_hand = pd.DataFrame(
        {
            "b": of_b * (frame.b - frame.b.mean()) / scaler.scale_[1],
            "k": np.where(frame.k == "x", of_x, of_y),
            "a": of_a * (frame.a - frame.a.mean()) / scaler.scale_[0],
        }
    )
    np.testing.assert_allclose(matrix, by_hand, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(base, np.full(4, model[-1].intercept_[0]), rtol=1e-12)
    np.testing.assert_allclose(base + matrix.sum(axis=1), model.decision_function(frame), rtol=1e-12)


def test_inputs_without_an_effect_add_nothing_and_are_not_read() -> None:
    frame = pd.DataFrame({"b": [0.0, 1.0, 0.0, 1.0], "a": [1.0, 2.0, 4.0, 3.0]})
    explain = explainer(from_sklearn(Lasso(0.5).fit(frame, frame.a)))
    assert explain is not None
    base, matrix = explain(pa.table({"a": [1.0, 2.0]}))
    assert (matrix[:, 0] == 0).all() and (matrix[:, 1] != 0).all() and (base > 0).all()


def test_rows_of_several_raw_scores_are_not_explained() -> None:
    model, _ = fitted(0, "three")
    assert explainer(from_sklearn(model)) is None


def exogenous() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(2, 1, 60)})


def of_statsmodels(kind: str, frame: pd.DataFrame) -> Any:
    exog = sm.add_constant(frame)
    noise = np.random.default_rng(1).normal(size=60)
    models = {
        "OLS": lambda: sm.OLS(frame["a"] + noise, exog),
        "no constant": lambda: sm.OLS(frame["a"] + noise, frame),
        "Poisson": lambda: sm.GLM(np.round(np.exp(frame["a"] / 2)), exog, family=sm.families.Poisson()),
        "Binomial": lambda: sm.GLM((frame["a"] + noise > 0).astype(float), exog, family=sm.families.Binomial()),
        "Logit": lambda: sm.Logit((frame["a"] + noise > 0).astype(float), exog),
        "probit": lambda: sm.Probit((frame["a"] + noise > 0).astype(float), exog),
        "offset": lambda: sm.GLM(np.exp(frame["a"]), exog, family=sm.families.Gaussian(), offset=frame["b"]),
        "text": lambda: sm.OLS.from_formula("a ~ np.log(b + 9)", frame),
    }
    model = models[kind]()
    return model.fit(disp=0) if kind in ("Logit", "probit") else model.fit()


@pytest.mark.parametrize("kind", ["OLS", "no constant", "Poisson", "Binomial", "Logit"])
def test_results_of_statsmodels_are_equal_to_their_formula(kind: str) -> None:
    frame = exogenous()
    results = of_statsmodels(kind, frame)
    formula = from_statsmodels(results)
    raw = raw_scores(formula, arrow(frame))[:, 0]
    made = {"identity": raw, "exp": np.exp(raw), "logistic": 1 / (1 + np.exp(-raw))}[formula.link]
    expected = results.predict(frame if kind == "no constant" else sm.add_constant(frame))
    np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_the_column_of_ones_may_be_an_input_like_any_other() -> None:
    frame = sm.add_constant(exogenous())
    results = of_statsmodels("Poisson", exogenous())
    formula = from_statsmodels(results, ["b", "const", "a"])
    assert formula.used == formula.inputs
    other = frame.assign(const=np.linspace(0, 2, len(frame)))
    np.testing.assert_allclose(np.exp(raw_scores(formula, arrow(other))[:, 0]), results.predict(other), rtol=1e-12)


@pytest.mark.parametrize(("kind", "reason"), [("probit", "Probit"), ("offset", "offset"), ("text", "formula text")])
def test_other_results_of_statsmodels_are_refused(kind: str, reason: str) -> None:
    with pytest.raises(NotLinear, match=reason):
        from_statsmodels(of_statsmodels(kind, exogenous()))
