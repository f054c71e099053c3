"""Estimators by name, each with what makes columns of any kind its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from penstock.errors import EnvironmentProblem, UnknownNameError
from penstock.trainers.node import CLASSIFIER, REGRESSOR

Columns = Callable[[Sequence[str], Sequence[str]], Any]


@dataclass(frozen=True)
class Named:
    """An estimator that a declaration may name.

    Attributes:
        classes: By task, its class, as `module:name`.
        columns: Makes what comes before it from the names of the numeric and of the text features.
        fixed: Parameters that it has unless a declaration says otherwise.
        install: What brings it, where scikit-learn does not.
    """

    classes: Mapping[str, str]
    columns: Columns
    fixed: Mapping[str, Any] = field(default_factory=dict)
    install: str = ""


def _scaled(numbers: Sequence[str], texts: Sequence[str]) -> Any:
    """For models of weights: a missing number is the median, a level that is not known counts nothing."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    number = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    text = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("number", number, list(numbers)), ("text", text, list(texts))])


def _numbered(numbers: Sequence[str], texts: Sequence[str]) -> Any:
    """For trees, which take missing numbers as they are: texts become numbers, unseen ones are missing."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    text = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=float("nan"))
    return ColumnTransformer([("text", text, list(texts)), ("number", "passthrough", list(numbers))])


TRAINERS = {
    "logistic_regression": Named({CLASSIFIER: "sklearn.linear_model:LogisticRegression"}, _scaled, {"max_iter": 1000}),
    "linear_regression": Named({REGRESSOR: "sklearn.linear_model:LinearRegression"}, _scaled),
    "ridge": Named({REGRESSOR: "sklearn.linear_model:Ridge"}, _scaled),
    "hist_gradient_boosting": Named(
        {
            CLASSIFIER: "sklearn.ensemble:HistGradientBoostingClassifier",
            REGRESSOR: "sklearn.ensemble:HistGradientBoostingRegressor",
        },
        _numbered,
    ),
    "random_forest": Named(
        {
            CLASSIFIER: "sklearn.ensemble:RandomForestClassifier",
            REGRESSOR: "sklearn.ensemble:RandomForestRegressor",
        },
        _numbered,
    ),
    "lightgbm": Named(
        {CLASSIFIER: "lightgbm:LGBMClassifier", REGRESSOR: "lightgbm:LGBMRegressor"},
        _numbered,
        # By default LightGBM chooses how it adds up by what is faster at the moment.
        {"deterministic": True, "force_row_wise": True, "verbosity": -1},
        install="lightgbm",
    ),
    "xgboost": Named(
        {CLASSIFIER: "xgboost:XGBClassifier", REGRESSOR: "xgboost:XGBRegressor"}, _numbered, install="xgboost"
    ),
}


def parameters(trainer: str, task: str) -> tuple[str, ...] | None:
    """The names of a trainer's parameters; None where its library is not installed here."""
    try:
        return tuple(_class(trainer, task)().get_params())
    except EnvironmentProblem:
        return None


def library_of(trainer: str, task: str) -> str:
    """The library of a trainer, with its version: `lightgbm==4.6.0`."""
    module = import_module(_class(trainer, task).__module__.partition(".")[0])
    return f"{module.__name__}=={module.__version__}"


def estimator(
    trainer: str, task: str, numbers: Sequence[str], texts: Sequence[str], params: Mapping[str, Any], seed: int
) -> Any:
    """An unfitted pipeline.

    Args:
        trainer: A name of `TRAINERS`.
        task: What it is for.
        numbers: The numeric features.
        texts: The text features.
        params: Of the estimator.
        seed: What its random numbers begin with, where it draws some and `params` say nothing.

    Raises:
        EnvironmentProblem: when its library is not installed.
        UnknownNameError: when it has no such parameter.
    """
    from sklearn.pipeline import Pipeline

    made = _class(trainer, task)()
    known = made.get_params()
    for name in params:
        if name not in known:
            raise UnknownNameError.of("parameter", name, known, where=f"trainer {trainer}")
    drawn = {"random_state": seed} if "random_state" in known else {}
    made.set_params(**{**TRAINERS[trainer].fixed, **drawn, **params})
    return Pipeline([("columns", TRAINERS[trainer].columns(numbers, texts)), (trainer, made)])


def _class(trainer: str, task: str) -> Any:
    named = TRAINERS[trainer]
    module, _, name = named.classes[task].partition(":")
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise EnvironmentProblem(
            f"trainer {trainer} needs a library that is not here: {error}",
            where=f"trainer {trainer}",
            fix=f"pip install {named.install or 'scikit-learn'}",
        ) from error
