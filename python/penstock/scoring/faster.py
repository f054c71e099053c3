"""Engines that score a version without its library: which there are for a version, and each as a `Loaded`.

None is used that `proof` has not found equal to the library on this very version.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError
from penstock.scoring.contract import Loaded
from penstock.scoring.failures import ModelFailed, said

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.scoring.linear.formula import Formula
    from penstock.scoring.trees.inputs import FeaturesOf

_log = logging.getLogger(__name__)

LIBRARY, LINEAR = "library", "linear"


def candidates(loaded: Loaded) -> dict[str, Loaded]:
    """The engines that can be made of a version, by name, without the library's own.

    Args:
        loaded: The version, scored by its library.
    """
    found: dict[str, Loaded] = {}
    for name, make in _ENGINES.items():
        try:
            engine = make(loaded)
        except Exception as error:  # a model of a shape that the engine does not know is no reason to refuse it
            _log.info("engine %s cannot read this model: %s: %s", name, type(error).__name__, error)
            continue
        if engine is not None:
            found[name] = _failing_as_models_do(engine)
    return found


def engine_of(loaded: Loaded, name: str) -> Loaded:
    """A version scored by the engine that was chosen for it; by its library where the engine is not installed."""
    made = _ENGINES[name](loaded) if name in _ENGINES else None
    return _failing_as_models_do(made) if made else loaded


def _failing_as_models_do(engine: Loaded) -> Loaded:
    """The engine such that a row which it refuses is a row that fails, as with the library."""

    def predict(table: pa.Table, params: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return engine.predict(table, params)
        except ModelFailed:
            raise
        except PenstockError as error:
            raise ModelFailed(error.what, where=error.where, near=error.near, fix=error.fix) from error
        except Exception as error:
            raise ModelFailed(
                f"the model failed: {said(error)}", fix="keep from the model the rows that it can not take"
            ) from error

    return replace(engine, predict=predict)


def order_of(loaded: Loaded) -> list[str]:
    """The names of the inputs in the order of the model's features: by name where both have the same, else as given."""
    names = [each.name for each in loaded.description.inputs]
    for attribute in ("feature_names_in_", "feature_name_", "feature_name"):
        known = getattr(loaded.native, attribute, None)
        known = known() if callable(known) else known
        if known is not None and sorted(map(str, known)) == sorted(names):
            return [str(each) for each in known]
    return names


def last_step(native: Any) -> Any:
    """The estimator at the end of a scikit-learn pipeline; the model itself where it is none."""
    return native.steps[-1][1] if hasattr(native, "steps") else native


def formula_of(loaded: Loaded) -> Formula | None:
    """The formula of a linear model; None of any other."""
    from penstock.scoring.linear.formula import NotLinear
    from penstock.scoring.linear.from_sklearn import from_sklearn
    from penstock.scoring.linear.from_statsmodels import from_statsmodels

    library = type(last_step(loaded.native)).__module__.partition(".")[0]
    read = {"sklearn": from_sklearn, "statsmodels": from_statsmodels}.get(library)
    if read is None:
        return None
    try:
        return read(loaded.native, [each.name for each in loaded.description.inputs])
    except NotLinear:
        return None


def _linear(loaded: Loaded) -> Loaded | None:
    """One multiplication a number and one lookup a level."""
    from penstock.scoring.linear.native import explainer, predictor

    formula = formula_of(loaded)
    if formula is None:
        return None
    return replace(
        loaded,
        predict=predictor(formula, loaded.description),
        contributions=explainer(formula),
        unused=frozenset(formula.inputs) - set(formula.used),
    )


def _trees(loaded: Loaded) -> Loaded | None:
    """One compiled kernel for all ensembles of trees; what stands before them in a pipeline stays the library's."""
    from penstock.scoring.trees.inputs import of_inputs, of_transformed

    if hasattr(loaded.native, "steps"):
        return _compiled(loaded, of_transformed)
    return _compiled(loaded, of_inputs)


def _pipeline_trees(loaded: Loaded) -> Loaded | None:
    """The kernel, and what stands before the trees in a pipeline as one lookup a level."""
    from penstock.scoring.trees.inputs import of_lookups

    return _compiled(loaded, of_lookups) if hasattr(loaded.native, "steps") else None


def _compiled(loaded: Loaded, features_of: FeaturesOf) -> Loaded | None:
    """Trees over what `features_of` makes of the inputs."""
    from penstock.scoring.trees.ensemble import NotATreeEnsemble
    from penstock.scoring.trees.predictor import compile_trees

    if loaded.native is None:
        return None
    last = last_step(loaded.native)
    try:
        compiled = compile_trees(last)
    except (NotATreeEnsemble, ImportError):  # numba is optional
        return None
    [first, *others], classes = loaded.description.fields, loaded.description.classes
    features = features_of(loaded.native, loaded.description, order_of(loaded), compiled)
    if features is None or others or (classes and not hasattr(last, "classes_")):
        return None

    def predict(table: pa.Table, params: Mapping[str, Any]) -> dict[str, Any]:
        del params  # an ensemble has none
        import numpy as np

        raw = compiled.raw(features.matrix(table))
        if classes:
            return {first.name: last.classes_[np.argmax(raw, axis=1)], "probabilities": raw}
        return {first.name: raw[:, 0] if raw.shape[1] == 1 else raw}

    return replace(loaded, predict=predict, size=loaded.size + compiled.size, unused=features.unused)


_ENGINES: dict[str, Callable[[Loaded], Loaded | None]] = {
    LINEAR: _linear,
    "trees": _trees,
    "pipeline_trees": _pipeline_trees,
}
