"""A fitted pipeline of scikit-learn, or an estimator alone, as a formula.

Steps are told by the exact class: a subclass may do anything. scikit-learn itself is not imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.scoring.linear.columns import Column, Raw, filled, formula, indicator, scaled
from penstock.scoring.linear.encoders import encoded
from penstock.scoring.linear.formula import Formula, Link, NotLinear

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, Any]

_IDENTITY = frozenset(
    "ARDRegression BayesianRidge ElasticNet ElasticNetCV HuberRegressor Lars LarsCV Lasso LassoCV LassoLars "
    "LassoLarsCV LassoLarsIC LinearRegression LinearSVR MultiTaskElasticNet MultiTaskLasso OrthogonalMatchingPursuit "
    "OrthogonalMatchingPursuitCV PassiveAggressiveRegressor QuantileRegressor Ridge RidgeCV SGDRegressor "
    "TheilSenRegressor".split()
)
_ENCODERS = frozenset({"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"})


def from_sklearn(model: Any, inputs: Sequence[str] | None = None) -> Formula:
    """Read a fitted model.

    Args:
        model: A fitted Pipeline that ends in a linear model, or a fitted linear model alone.
        inputs: The names of its columns in order; left out, the names of the frame that it was fitted on.

    Returns:
        The formula of its `predict`, or of its `predict_proba` for a classifier. NULL is what the model takes for
        missing, be it None or NaN.

    Raises:
        NotLinear: when a step cannot be represented exactly, or the names are missing.
    """
    names = getattr(model, "feature_names_in_", None)
    names = inputs if names is None else names
    if names is None:
        raise NotLinear("the model was fitted without names of columns", fix="fit it on a frame, or give `inputs`")
    if inputs is not None and (lost := [each for each in names if each not in inputs]):
        raise NotLinear(f"the model was fitted on '{lost[0]}', which is none of the inputs", near=inputs)
    columns: list[Column] = [Raw(str(each)) for each in names]
    estimator = model
    if _class_of(model) == "Pipeline":
        *steps, (_, estimator) = model.steps
        columns = columns_behind([step for _, step in steps], columns)
    if not hasattr(estimator, "predict"):
        raise NotLinear(f"the pipeline ends in {type(estimator).__name__}, which predicts nothing")
    if getattr(estimator, "n_features_in_", len(columns)) != len(columns):
        raise NotLinear(f"the model was fitted on {estimator.n_features_in_} columns, and {len(columns)} come to it")
    coefficients, intercepts = _coefficients(estimator)
    link, classes = _link(estimator)
    if link == "logistic" and len(coefficients) > 1:
        raise NotLinear(f"{type(estimator).__name__} of several classes, one against the rest")
    names = [str(each) for each in (inputs if inputs is not None else names)]
    return formula(names, columns, coefficients, intercepts, link, classes)


def columns_behind(steps: Sequence[Any], columns: list[Column]) -> list[Column]:
    """The columns that come out of fitted transformers, one after the other.

    Raises:
        NotLinear: when a step cannot be represented exactly.
    """
    for step in steps:
        columns = _through(step, columns)
    return columns


def _coefficients(estimator: Any) -> tuple[list[list[float]], list[float]]:
    import numpy as np

    if not hasattr(estimator, "coef_"):
        raise NotLinear(f"{type(estimator).__name__} has no coefficients")
    raw = estimator.coef_
    coefficients = np.atleast_2d(raw.toarray() if hasattr(raw, "toarray") else raw)
    intercepts = np.broadcast_to(np.ravel(estimator.intercept_), (len(coefficients),))
    return coefficients.tolist(), intercepts.tolist()


def _link(estimator: Any) -> tuple[Link, list[Any]]:
    """The link, and the classes of a classifier."""
    name = _class_of(estimator)
    if name in _IDENTITY:
        return "identity", []
    if name in {"PoissonRegressor", "GammaRegressor"}:
        return "exp", []
    if name == "TweedieRegressor":
        link = estimator.link if estimator.link != "auto" else "identity" if estimator.power <= 0 else "log"
        return ("identity" if link == "identity" else "exp"), []
    if name in {"LogisticRegression", "LogisticRegressionCV"}:
        # of older versions: one model a class, or two symmetric ones for two classes
        if getattr(estimator, "multi_class", "deprecated") not in {"auto", "deprecated"}:
            raise NotLinear(f"{name} with multi_class='{estimator.multi_class}'", fix="leave `multi_class` out")
        several = len(estimator.classes_) > 2
        if several and estimator.solver == "liblinear":
            raise NotLinear("liblinear fits several classes one against the rest", fix="choose another solver")
        return ("softmax" if several else "logistic"), estimator.classes_.tolist()
    if name == "SGDClassifier" and estimator.loss == "log_loss":
        return "logistic", estimator.classes_.tolist()
    raise NotLinear(
        f"{name or type(estimator).__name__} is no linear model whose prediction a formula gives",
        where=f"the last step, {type(estimator).__module__}.{type(estimator).__name__}",
    )


def _class_of(step: Any) -> str:
    """The name of a class of scikit-learn itself, else nothing."""
    return type(step).__name__ if type(step).__module__.startswith("sklearn.") else ""


def _through(step: Any, columns: list[Column]) -> list[Column]:
    """The columns behind a fitted transformer."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return columns
    if isinstance(step, str) and step == "drop":
        return []
    name = _class_of(step)
    if name == "Pipeline":
        for _, inner in step.steps:
            columns = _through(inner, columns)
        return columns
    if name == "ColumnTransformer":
        return _side_by_side(step, columns)
    if name == "FeatureUnion":
        _refuse_weights(step)
        return [made for _, inner in step.transformer_list for made in _through(inner, columns)]
    if name == "SimpleImputer":
        return _imputed(step, columns)
    if name in _ENCODERS:
        return encoded(step, columns)
    if name == "FunctionTransformer" and step.func is None:
        return columns
    if type(step).__module__.startswith("sklearn.feature_selection.") and hasattr(step, "get_support"):
        return [columns[at] for at in step.get_support(indices=True)]
    return [scaled(each, *by) for each, by in zip(columns, _scales(step, name, len(columns)), strict=True)]


def _side_by_side(step: Any, columns: list[Column]) -> list[Column]:
    _refuse_weights(step)
    made: list[Column] = []
    for name, inner, chosen in step.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        # scikit-learn has resolved names, slices, masks and callables to places when it was fitted
        places = step._transformer_to_input_indices[name]
        if isinstance(chosen, (str, int)) and not isinstance(inner, str):
            raise NotLinear(f"'{name}' takes one column as a vector", where="ColumnTransformer")
        made += _through(inner, [columns[at] for at in places])
    return made


def _refuse_weights(step: Any) -> None:
    if step.transformer_weights:
        raise NotLinear("transformer_weights", where=type(step).__name__)


def _imputed(step: Any, columns: list[Column]) -> list[Column]:
    if not (step.missing_values is None or step.missing_values != step.missing_values):
        raise NotLinear(f"SimpleImputer takes {step.missing_values!r} for missing, which SQL does not")
    fills = [None if each != each else each for each in step.statistics_.tolist()]  # noqa: PLR0124
    # without one value in training there is nothing to fill with, and the imputer drops the column
    made = [filled(each, fill) for each, fill in zip(columns, fills, strict=True) if fill is not None]
    if step.indicator_ is not None:
        made += [indicator(columns[at]) for at in step.indicator_.features_]
    return made


def _scales(step: Any, name: str, width: int) -> list[tuple[float, float]]:
    """The center and scale of each column."""
    import numpy as np

    zeros, ones = np.zeros(width), np.ones(width)
    if name == "StandardScaler":
        center = step.mean_ if step.with_mean else zeros
        scale = step.scale_ if step.scale_ is not None else ones
    elif name == "RobustScaler":
        center = step.center_ if step.with_centering else zeros
        scale = step.scale_ if step.with_scaling else ones
    elif name == "MaxAbsScaler":
        center, scale = zeros, step.scale_
    elif name == "MinMaxScaler" and not step.clip:
        # x * scale_ + min_, whose min_ is feature_range[0] - data_min_ * scale_
        center, scale = step.data_min_ - step.feature_range[0] / step.scale_, 1.0 / step.scale_
    else:
        raise NotLinear(
            f"{'MinMaxScaler with clip' if name == 'MinMaxScaler' else type(step).__name__} is no step that a formula "
            f"represents",
            where=f"{type(step).__module__}.{type(step).__name__}",
        )
    return list(zip(center.tolist(), scale.tolist(), strict=True))
