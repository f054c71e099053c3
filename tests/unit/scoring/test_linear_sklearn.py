"""Fitted pipelines as formulas: equal to the estimator's own predictions, or refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pipelines import INPUTS, TARGETS, arrow, fitted, told
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from penstock.scoring.linear.formula import Formula, NotLinear
from penstock.scoring.linear.from_sklearn import from_sklearn
from penstock.scoring.linear.native import raw_scores

LINKS = {
    "identity": lambda raw: raw,
    "exp": np.exp,
    "logistic": lambda raw: np.hstack([1 / (1 + np.exp(raw)), 1 / (1 + np.exp(-raw))]),
    "softmax": lambda raw: np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True),
}


def scored(formula: Formula, frame: pd.DataFrame) -> Any:
    """What the formula says, in the estimator's form."""
    made = LINKS[formula.link](raw_scores(formula, arrow(frame)))
    return made[:, 0] if made.shape[1] == 1 else made


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(8))
def test_random_pipelines_are_equal_to_their_formula(seed: int, target: str) -> None:
    model, frame = fitted(seed, target)
    formula = from_sklearn(model)
    np.testing.assert_allclose(scored(formula, frame), told(model, frame), rtol=1e-10, atol=1e-12)
    assert formula.inputs == tuple(INPUTS)
    assert Formula.from_data(json.loads(json.dumps(formula.as_data()))) == formula


def simple(rng_seed: int = 0, size: int = 80) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(rng_seed)
    frame = pd.DataFrame({"a": rng.normal(5, 2, size), "b": rng.normal(size=size), "c": rng.choice(["x", "y"], size)})
    return frame, rng.normal(size=size) + frame["a"].to_numpy() + (frame["c"] == "x").to_numpy()


def test_an_estimator_alone_is_read_by_the_names_of_its_frame_or_by_those_given() -> None:
    frame, y = simple()
    numbers = frame[["a", "b"]]
    assert from_sklearn(LinearRegression().fit(numbers, y)).inputs == ("a", "b")
    of_array = LinearRegression().fit(numbers.to_numpy(), y)
    formula = from_sklearn(of_array, ["a", "b"])
    np.testing.assert_allclose(scored(formula, numbers), of_array.predict(numbers.to_numpy()), rtol=1e-12)
    with pytest.raises(NotLinear, match="without names"):
        from_sklearn(of_array)


@pytest.mark.parametrize("chosen", [["a", "b"], [0, 1], slice(0, 2), [True, True, False], lambda f: ["a", "b"]])
def test_columns_are_chosen_in_any_way(chosen: Any) -> None:
    frame, y = simple()
    inner = ColumnTransformer([("scale", StandardScaler(), [1]), ("drop", "drop", [0])], remainder="passthrough")
    columns = ColumnTransformer([("inner", Pipeline([("a", inner)]), chosen), ("c", OneHotEncoder(), ["c"])])
    model = Pipeline([("columns", columns), ("model", LinearRegression())]).fit(frame, y)
    formula = from_sklearn(model)
    np.testing.assert_allclose(scored(formula, frame), model.predict(frame), rtol=1e-12)
    assert formula.used == ("b", "c")


def test_a_feature_without_weight_is_not_used() -> None:
    frame, y = simple()
    model = LinearRegression().fit(frame[["a", "b"]], y)
    model.coef_[0] = 0.0
    assert from_sklearn(model).used == ("b",)


def test_selected_and_united_features_are_followed() -> None:
    frame, y = simple()
    union = FeatureUnion([("raw", "passthrough"), ("unit", MinMaxScaler())])
    model = make_pipeline(union, SelectKBest(k=2), LinearRegression()).fit(frame[["a", "b"]], y)
    np.testing.assert_allclose(scored(from_sklearn(model), frame), model.predict(frame[["a", "b"]]), rtol=1e-12)


def test_scalers_after_scalers_are_one() -> None:
    frame, y = simple()
    model = make_pipeline(MinMaxScaler((2, 5)), StandardScaler(), LinearRegression()).fit(frame[["a", "b"]], y)
    np.testing.assert_allclose(scored(from_sklearn(model), frame), model.predict(frame[["a", "b"]]), rtol=1e-12)


def test_a_target_encoder_is_a_table() -> None:
    frame, y = simple()
    model = make_pipeline(TargetEncoder(), LinearRegression()).fit(frame[["c"]], y)
    test = pd.DataFrame({"c": ["x", "y", "new", None]})
    np.testing.assert_allclose(scored(from_sklearn(model), test), model.predict(test), rtol=1e-12)


def test_truth_values_and_whole_numbers_are_levels() -> None:
    frame = pd.DataFrame({"flag": [True, False, True, False], "zone": [3, 1, 2, 3]})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LinearRegression()).fit(frame, [1.0, 2.0, 4.0, 8.0])
    test = pd.DataFrame({"flag": [True, False], "zone": [3, 77]})
    np.testing.assert_allclose(scored(from_sklearn(model), test), model.predict(test), rtol=1e-12)


def test_a_coefficient_of_a_sparse_estimator_is_read() -> None:
    frame, y = simple()
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", random_state=0).fit(frame[["a", "b"]], y > 5)
    dense = from_sklearn(model)
    assert from_sklearn(model.sparsify()) == dense


class Doubled(StandardScaler):
    """A scaler that does something else."""

    def transform(self, *given: Any) -> Any:
        return 2 * super().transform(*given)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (make_pipeline(PolynomialFeatures(), LinearRegression()), "PolynomialFeatures"),
        (make_pipeline(PCA(1), LinearRegression()), "PCA"),
        (make_pipeline(MinMaxScaler(clip=True), LinearRegression()), "clip"),
        (make_pipeline(Doubled(), LinearRegression()), "Doubled"),
        (make_pipeline(SimpleImputer(missing_values=-1), LinearRegression()), "takes -1"),
        (
            make_pipeline(
                StandardScaler(),
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                LinearRegression(),
            ),
            "after a scaler",
        ),
        (ColumnTransformer([("a", "passthrough", ["a"])]), "no coefficients|predicts nothing"),
    ],
)
def test_what_no_formula_gives_is_refused_with_the_reason(model: Any, reason: str) -> None:
    frame, y = simple()
    with pytest.raises(NotLinear, match=reason):
        from_sklearn(model.fit(frame[["a", "b"]], y))


def test_classifiers_without_these_probabilities_are_refused() -> None:
    from sklearn.linear_model import SGDClassifier

    frame, y = simple()
    numbers = frame[["a", "b"]]
    three = np.digitize(y, [4, 6])
    for model in (
        RidgeClassifier().fit(numbers, y > 5),
        SGDClassifier(loss="hinge").fit(numbers, y > 5),
        SGDClassifier(loss="log_loss").fit(numbers, three),
    ):
        with pytest.raises(NotLinear):
            from_sklearn(model)
    diverged = LogisticRegression().fit(numbers, y > 5)
    diverged.coef_[0, 0] = np.inf
    with pytest.raises(NotLinear, match="infinite"):
        from_sklearn(diverged)
