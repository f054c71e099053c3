"""Models of a project's own code, and those of all flavours of MLflow that have no file here."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.scoring.flavours import columns, describe, results
from penstock.scoring.flavours.logged import Logged, Scoring
from penstock.scoring.flavours.threads import use_one

if TYPE_CHECKING:
    import pyarrow as pa


def open_native(logged: Logged) -> Any:
    """What the model's loader made, with its code on the path and its context loaded."""
    import mlflow

    model = mlflow.pyfunc.load_model(str(logged.folder), suppress_warnings=True)
    # Its own predict() would check each batch against the signature, row by row in places: SQL's types have done that.
    native = model._model_impl
    use_one(getattr(native, "python_model", native))
    return native


def scoring(native: Any, logged: Logged) -> Scoring:
    """What a model gives, by the signature's outputs. It gets a frame, or arrays where the signature has tensors, and
    all params.

    Raises:
        InvalidDefinitionError: when the signature has no outputs.
    """
    fields = logged.outputs()
    call = getattr(native, logged.meta.flavors["python_function"].get("predict_fn", "predict"))
    takes = inspect.signature(call).parameters.get("params")
    takes_params = takes is not None and takes.kind is not inspect.Parameter.VAR_KEYWORD

    def predict(table: pa.Table, params: Mapping[str, Any]) -> Mapping[str, Any]:
        given = _arrays(table, logged) if logged.takes_tensors else columns.frame(table)
        return results.by_field(call(given, params=dict(params)) if takes_params else call(given), fields)

    return Scoring(fields, predict, takes_params=bool(logged.params))


def _arrays(table: pa.Table, logged: Logged) -> Any:
    """One array, or a dictionary of them where the signature names them."""
    made = {}
    for column, each, spec in zip(table.columns, logged.inputs, logged.meta.get_input_schema().inputs, strict=True):
        made[spec.name] = columns.tensor(column, each, describe.row_shape(spec, where=logged.source), spec.type)
    return made[None] if list(made) == [None] else made
