"""Engines that score a version without its library: which there are for a version, and each as a `Loaded`.

None is used that `proof` has not found equal to the library on this very version.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Loaded

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)

LIBRARY = "library"


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
            found[name] = engine
    return found


def engine_of(loaded: Loaded, name: str) -> Loaded:
    """A version scored by the engine that was chosen for it; by its library where the engine is not installed."""
    made = _ENGINES[name](loaded) if name in _ENGINES else None
    return made or loaded


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


def _linear(loaded: Loaded) -> Loaded | None:
    """One multiplication a number and one lookup a level."""
    from penstock.scoring.linear.formula import NotLinear
    from penstock.scoring.linear.from_sklearn import from_sklearn
    from penstock.scoring.linear.native import predictor

    if not type(last_step(loaded.native)).__module__.startswith("sklearn."):
        return None
    try:
        formula = from_sklearn(loaded.native, [each.name for each in loaded.description.inputs])
    except NotLinear:
        return None
    return replace(loaded, predict=predictor(formula, loaded.description))


def _trees(loaded: Loaded) -> Loaded | None:
    """One compiled kernel for all ensembles of trees; what stands before them in a pipeline stays the library's."""
    return _compiled(loaded, _matrix_of)


def _pipeline_trees(loaded: Loaded) -> Loaded | None:
    """The kernel, and what stands before the trees in a pipeline as one lookup a level."""
    return _compiled(loaded, _looked_up) if hasattr(loaded.native, "steps") else None


def _compiled(loaded: Loaded, matrix_of: Callable[[Loaded], Callable[[pa.Table], Any] | None]) -> Loaded | None:
    """Trees over what `matrix_of` makes of the inputs."""
    from penstock.scoring.trees.ensemble import NotATreeEnsemble
    from penstock.scoring.trees.predictor import compile_trees

    if loaded.native is None:
        return None
    last = last_step(loaded.native)
    try:
        compiled = compile_trees(last)
    except (NotATreeEnsemble, ImportError):  # numba is optional
        return None
    [first, *others] = loaded.description.fields
    classes = loaded.description.classes
    matrix = matrix_of(loaded)
    if matrix is None or others or (classes and not hasattr(last, "classes_")):
        return None

    def predict(table: pa.Table, params: Mapping[str, Any]) -> dict[str, Any]:
        del params  # an ensemble has none
        import numpy as np

        raw = compiled.raw(matrix(table))
        if classes:
            return {first.name: last.classes_[np.argmax(raw, axis=1)], "probabilities": raw}
        return {first.name: raw[:, 0] if raw.shape[1] == 1 else raw}

    return replace(loaded, predict=predict, size=loaded.size + compiled.size)


def _matrix_of(loaded: Loaded) -> Callable[[pa.Table], Any]:
    """From the inputs to what the trees see: float64."""
    import numpy as np

    from penstock.scoring.flavours import columns

    order = order_of(loaded)
    if not hasattr(loaded.native, "steps"):
        return lambda table: columns.matrix(table.select(order))
    before = loaded.native[:-1]

    def transformed(table: pa.Table) -> Any:
        made = before.transform(columns.frame(table.select(order)))
        return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)

    return transformed


def _looked_up(loaded: Loaded) -> Callable[[pa.Table], Any] | None:
    """The same without the library; None where the steps before the trees do more than a lookup can."""
    from penstock.scoring.linear.columns import Raw
    from penstock.scoring.linear.formula import NotLinear
    from penstock.scoring.linear.from_sklearn import columns_behind
    from penstock.scoring.linear.matrix import matrix_of

    steps = [step for _, step in loaded.native.steps[:-1]]
    try:
        return matrix_of(columns_behind(steps, [Raw(each) for each in order_of(loaded)]), loaded.description)
    except NotLinear:
        return None


_ENGINES: dict[str, Callable[[Loaded], Loaded | None]] = {
    "linear": _linear,
    "trees": _trees,
    "pipeline_trees": _pipeline_trees,
}
