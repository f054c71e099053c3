"""A logged model of any flavour, ready to score."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.errors import InvalidDefinitionError, PenstockError, UnknownNameError
from penstock.scoring.contract import Contributions, Description, Loaded, Predictor
from penstock.scoring.failures import ModelDoesNotLoad, ModelFailed, said
from penstock.scoring.flavours import describe, results
from penstock.scoring.flavours.levels import with_levels
from penstock.scoring.flavours.logged import Logged, Scoring

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")
_HERE = __name__.rpartition(".")[0]

# The flavours of MLflow that have a file here, the best first: most models have python_function too.
_FLAVOURS = {
    "spark": "spark", "lightgbm": "lightgbm", "xgboost": "xgboost", "onnx": "onnx", "pytorch": "pytorch",
    "tensorflow": "tensorflow", "keras": "tensorflow", "statsmodels": "statsmodels", "sklearn": "sklearn",
    "python_function": "pyfunc",
}  # fmt: skip


def load(source: str) -> Loaded:
    """Read a logged model into memory.

    Args:
        source: The folder of the logged model, as a path or any URI that MLflow can fetch from.

    Returns:
        The model. Its predictor raises `ModelFailed` when the model raises, or gives another number of rows, other
        outputs or values of other types than its description says; a NaN is passed on.

    Raises:
        ModelDoesNotLoad: when its files are missing or damaged, or its library is not installed.
        InvalidDefinitionError: when its signature is missing or says what SQL can not, or its flavour is none that can
            be scored.
    """
    logged = _trying(source, lambda: _read(source))
    flavour = _flavour(logged)
    native = _trying(source, lambda: flavour.open_native(logged))
    scoring = _trying(source, lambda: flavour.scoring(native, logged))
    description = Description(
        inputs=with_levels(logged.inputs, scoring.levels),
        fields=scoring.fields,
        classes=scoring.classes,
        params=logged.params if scoring.takes_params else (),
    )
    return Loaded(
        description=description,
        predict=_predictor(scoring, description, source),
        size=max(_bytes_of(logged), scoring.size),
        contributions=_contributions(scoring.contributions, len(description.inputs), source),
        native=native,
    )


def _read(source: str) -> Logged:
    import mlflow

    # A local folder stays where it is.
    folder = Path(mlflow.artifacts.download_artifacts(source))
    meta = mlflow.models.Model.load(str(folder))
    return Logged(
        source=source,
        folder=folder,
        meta=meta,
        inputs=describe.inputs_of(meta, where=source),
        params=describe.params_of(meta, where=source),
    )


def _flavour(logged: Logged) -> Any:
    found = next((module for name, module in _FLAVOURS.items() if name in logged.meta.flavors), None)
    if found is None:
        raise InvalidDefinitionError(
            f"the model has the flavours {', '.join(logged.meta.flavors) or 'none'}, and none that can be scored",
            where=logged.source,
            fix=f"log it with one of {', '.join(_FLAVOURS)}",
        )
    return importlib.import_module(f"{_HERE}.{found}")


def _trying(source: str, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except PenstockError:
        raise
    except ModuleNotFoundError as error:
        raise ModelDoesNotLoad(
            f"the model does not load: it needs the module {error.name}, which is not installed",
            where=source,
            fix=f"install {error.name} where models are scored: the model's requirements.txt says which version",
        ) from error
    except Exception as error:
        raise ModelDoesNotLoad(
            f"the model does not load: {said(error)}",
            where=source,
            fix="register it anew from its training node, or let the alias point to another version",
        ) from error


def _predictor(scoring: Scoring, description: Description, source: str) -> Predictor:
    defaults = {each.name: each.default for each in description.params}

    def predict(table: pa.Table, params: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in params:
            if name not in defaults:
                raise UnknownNameError.of("parameter", name, defaults, where=source)
        if not table.num_rows:
            return results.empty(description)
        return _running(
            source,
            lambda: results.checked(scoring.predict(table, {**defaults, **params}), description, table.num_rows),
        )

    return predict


def _contributions(explain: Contributions | None, inputs: int, source: str) -> Contributions | None:
    if explain is None:
        return None

    def of_rows(table: pa.Table) -> tuple[Any, Any]:
        import numpy as np

        if not table.num_rows:
            return np.empty(0), np.empty((0, inputs))
        return _running(source, lambda: explain(table))

    return of_rows


def _running(source: str, step: Callable[[], _T]) -> _T:
    """Run what may fail by the model's fault, so that its error names the model."""
    try:
        return step()
    except ModelFailed as error:
        raise ModelFailed(error.what, where=source, near=error.near, fix=error.fix) from error
    except PenstockError:
        raise
    except Exception as error:
        raise ModelFailed(
            f"the model failed: {said(error)}",
            where=source,
            fix="mend the model and register it anew, or keep from it the rows that it can not take",
        ) from error


def _bytes_of(logged: Logged) -> int:
    """The size of the files: a lower bound of what they take in memory."""
    return sum(each.stat().st_size for each in logged.folder.rglob("*") if each.is_file())
