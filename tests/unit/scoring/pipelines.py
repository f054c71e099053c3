"""Random fitted pipelines of scikit-learn, and frames on which the fitted estimator itself is the oracle."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from threadpoolctl import threadpool_limits

NUMBERS = ["small", "year", "constant", "count"]
TEXTS = ["carrier", "origin"]
INPUTS = [*NUMBERS, *TEXTS, "zone", "late"]


def rows(rng: np.random.Generator, size: int, *, lacking: float = 0.1, unseen: bool = False) -> pd.DataFrame:
    """Rows with missing values in all columns but `late`; `unseen`: with levels that no training has."""
    extra = ["ZZ", ""] if unseen else []
    frame = pd.DataFrame(
        {
            "small": rng.normal(0, 1e-3, size),
            "year": rng.normal(2013, 0.5, size),
            "constant": np.full(size, 7.25),
            "count": rng.poisson(3, size).astype(float),
            "carrier": rng.choice(["AA", "B6", "DL", "O'Hare", "ü", *extra], size),
            "origin": rng.choice(["JFK", "LGA", *["EWR"] * 8, *extra], size),
            "zone": rng.choice([-1.0, 0.0, 2.0, 5.5, *([99.0] if unseen else [])], size),
            "late": rng.random(size) < 0.5,
        }
    )
    for column in INPUTS[:-1]:
        lost = rng.random(size) < lacking
        frame[column] = frame[column].astype(object).mask(lost, None) if column in TEXTS else frame[column].mask(lost)
    return frame


def arrow(frame: pd.DataFrame) -> pa.Table:
    """The frame as Arrow, NULL for what lacks."""
    return pa.Table.from_pandas(frame, preserve_index=False)


def _numeric(rng: np.random.Generator) -> Pipeline:
    scaler: Any = rng.choice(
        np.array(
            [
                StandardScaler(),
                StandardScaler(with_mean=False),
                MinMaxScaler((-1, 2)),
                MaxAbsScaler(),
                RobustScaler(),
                "passthrough",
            ],
            dtype=object,
        )
    )
    imputer = SimpleImputer(
        strategy=str(rng.choice(["mean", "median", "most_frequent"])), add_indicator=bool(rng.integers(2))
    )
    return make_pipeline(imputer, scaler) if rng.integers(2) else make_pipeline(scaler, imputer)


def _levelled(rng: np.random.Generator) -> Any:
    kind = rng.integers(4)
    if kind == 0:
        return OneHotEncoder(handle_unknown="ignore", drop=rng.choice(np.array([None, "first"], dtype=object)))
    if kind == 1:
        return OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.15)
    if kind == 2:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        return make_pipeline(codes, StandardScaler())
    fill = SimpleImputer(missing_values=None, strategy="most_frequent", add_indicator=False)
    return make_pipeline(fill, OneHotEncoder(handle_unknown="ignore"), MaxAbsScaler())


def _estimator(rng: np.random.Generator, target: str) -> Any:
    choices: dict[str, list[Any]] = {
        "number": [LinearRegression(), Ridge(0.1), Lasso(0.05), ElasticNet(0.05), SGDRegressor(random_state=0)],
        "positive": [PoissonRegressor(), GammaRegressor(), TweedieRegressor(power=1.5), TweedieRegressor(power=0)],
        "two": [
            LogisticRegression(),
            LogisticRegression(C=0.1, solver="liblinear"),
            LogisticRegression(fit_intercept=False),
            SGDClassifier(loss="log_loss", random_state=0),
        ],
        "three": [LogisticRegression(max_iter=300)],
        "several": [LinearRegression(), Ridge()],
    }
    return choices[target][rng.integers(len(choices[target]))]


TARGETS = ["number", "positive", "two", "three", "several"]


@cache
def fitted(seed: int, target: str) -> tuple[Pipeline, pd.DataFrame]:
    """A fitted pipeline, and rows that it has not seen."""
    rng = np.random.default_rng(seed)
    train = rows(rng, 300)
    signal = train["small"].fillna(0).to_numpy() * 1e3 + (train["carrier"] == "AA") - train["late"]
    noisy = signal.to_numpy(float) + rng.normal(size=len(train))
    y: Any = {
        "number": noisy,
        "positive": np.exp(noisy / 4),
        "two": noisy > 0,
        "three": np.array(["no", "so", "yes"])[np.digitize(noisy, [-0.5, 0.7])],
        "several": np.column_stack([noisy, -3 * noisy + 1]),
    }[target]
    parts = [
        ("numbers", _numeric(rng), NUMBERS),
        ("texts", _levelled(rng), TEXTS),
        ("zone", _levelled_number(rng), ["zone"]),
    ]
    if rng.integers(2):  # the same input twice
        parts.append(("again", make_pipeline(SimpleImputer(), StandardScaler()), slice("small", "constant")))
    columns = ColumnTransformer(parts, remainder=rng.choice(np.array(["passthrough", "drop"])))
    with warnings.catch_warnings(), threadpool_limits(1):  # so small that threads only wait for each other
        warnings.simplefilter("ignore")  # of solvers that want more turns
        return Pipeline([("columns", columns), ("model", _estimator(rng, target))]).fit(train, y), rows(
            rng, 400, unseen=True
        )


def _levelled_number(rng: np.random.Generator) -> Any:
    if rng.integers(2):
        return OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))


def told(model: Any, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """What the estimator itself says: a matrix of numbers or probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown levels
        return np.asarray(model.predict_proba(frame) if hasattr(model, "classes_") else model.predict(frame), float)


def asked(score: str, frame: pd.DataFrame, *before: str) -> np.ndarray[Any, Any]:
    """What DuckDB says to the same rows."""
    with duckdb.connect() as connection:
        connection.register("rows", arrow(frame))
        for statement in before:
            connection.execute(statement)
        got = connection.execute(f"SELECT {score} FROM rows").fetchall()
    return np.array([value for (value,) in got], float)
