"""A loaded model as one plain function from feature columns to a number a row."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.failures import ModelDoesNotLoad

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Predictor = Callable[["pd.DataFrame"], "np.ndarray[Any, Any]"]


@lru_cache(maxsize=8)
def load_predictor(source: str) -> tuple[tuple[str, ...], Predictor]:
    """Load a logged model once per process.

    Args:
        source: The folder of the logged model, as a path or file URI.

    Returns:
        The names of its inputs in the order of its signature, and a function from a frame with those columns to one
        float64 a row: P(second class) for a binary classifier, the prediction for any other model.

    Raises:
        ModelDoesNotLoad: when its files do not load.
        InvalidDefinitionError: when the model has no signature, or has more than one number a row.
    """
    import mlflow

    try:
        model = mlflow.pyfunc.load_model(source)
    except Exception as error:
        raise ModelDoesNotLoad(
            f"the model does not load: {type(error).__name__}: {error}",
            where=source,
            fix="register it anew from its training node, or let the alias point to another version",
        ) from error
    inputs = model.metadata.get_input_schema()
    if inputs is None:
        raise InvalidDefinitionError("the model was logged without a signature", where=source)
    names = tuple(inputs.input_names())
    if "sklearn" in model.metadata.flavors:
        return names, _of_sklearn(mlflow.sklearn.load_model(source), source)
    return names, _of_pyfunc(model, source)


def _of_sklearn(estimator: Any, source: str) -> Predictor:
    if not hasattr(estimator, "classes_"):
        return lambda frame: _one_column(estimator.predict(frame), source)
    if len(estimator.classes_) != 2:
        raise InvalidDefinitionError(
            f"a classifier of {len(estimator.classes_)} classes has no single number a row", where=source
        )
    return lambda frame: estimator.predict_proba(frame)[:, 1].astype("float64")


def _of_pyfunc(model: Any, source: str) -> Predictor:
    return lambda frame: _one_column(model.predict(frame), source)


def _one_column(values: Any, source: str) -> np.ndarray[Any, Any]:
    import numpy as np

    array: np.ndarray[Any, Any] = np.asarray(values, dtype="float64")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InvalidDefinitionError(f"the model gives {array.shape[1:]} numbers a row; one is needed", where=source)
    return array
