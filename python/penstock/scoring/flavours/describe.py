"""What MLflow's signature of a model says, as arguments, parameters and fields of SQL."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field, Input, Param
from penstock.scoring.flavours.types import of_mlflow, of_numpy

if TYPE_CHECKING:
    import numpy as np

# The key of a model's metadata under which `penstock.registry.mlflow_store.described` puts the words of its inputs.
_WORDS = "penstock"
_UNNAMED = "features"
_FIX = "log it with signature=mlflow.models.infer_signature(the inputs, the predictions)"


def inputs_of(meta: Any, *, where: str) -> tuple[Input, ...]:
    """The arguments of a model, in the order of its signature.

    A column is an argument of its type. A tensor is an ARRAY argument that holds the values of a row one after another,
    or a plain one if it has one value a row and no second dimension; an input without a name is `features`.

    Args:
        meta: The `mlflow.models.Model` of its files.
        where: The model, for errors.

    Raises:
        InvalidDefinitionError: when there is no signature, or SQL has no type for an input.
    """
    schema = meta.get_input_schema()
    if schema is None:
        raise InvalidDefinitionError("the model was logged without a signature of its inputs", where=where, fix=_FIX)
    comments = (meta.metadata or {}).get(_WORDS, {}).get("comments", {})
    found = []
    for number, spec in enumerate(schema.inputs):
        name = _name(spec.name, number, len(schema.inputs))
        comment = comments.get(name, "")
        if schema.is_tensor_spec():
            shape = row_shape(spec, where=f"{where}, input {name}")
            kind = _tensor_type(spec.type, shape, where=f"{where}, input {name}")
            found.append(Input(name, kind, spec.required, comment or _words_of(shape)))
        else:
            found.append(Input(name, of_mlflow(spec.type, where=f"{where}, input {name}"), spec.required, comment))
    return tuple(found)


def params_of(meta: Any, *, where: str) -> tuple[Param, ...]:
    """What a call may set, by the signature; an array where a parameter has a shape.

    Raises:
        InvalidDefinitionError: when SQL has no type for a parameter.
    """
    found = []
    for spec in meta.get_params_schema() or ():
        kind = of_mlflow(spec.dtype, where=f"{where}, parameter {spec.name}")
        found.append(Param(spec.name, kind if spec.shape is None else f"ARRAY<{kind}>", spec.default))
    return tuple(found)


def outputs_of(meta: Any, *, where: str) -> tuple[Field, ...]:
    """What a model gives by its signature: `prediction` where it is one thing, else each by its name.

    A number with a fraction is DOUBLE whatever width the model computes in, which changes no value; vectors keep their
    width, since they are many.

    Raises:
        InvalidDefinitionError: when the signature has no outputs, or SQL has no type for one.
    """
    schema = meta.get_output_schema()
    if schema is None:
        raise InvalidDefinitionError("the model was logged without a signature of its outputs", where=where, fix=_FIX)
    found = []
    for number, spec in enumerate(schema.inputs):
        name = "prediction" if len(schema.inputs) == 1 else _name(spec.name, number, len(schema.inputs))
        place = f"{where}, output {name}"
        if schema.is_tensor_spec():
            shape = row_shape(spec, where=place, free=True)
            kind = _tensor_type(spec.type, () if shape == (1,) else shape, where=place)
        else:
            kind = of_mlflow(spec.type, where=place)
        found.append(Field(name, "DOUBLE" if kind == "FLOAT" else kind))
    return tuple(found)


def row_shape(spec: Any, *, where: str, free: bool = False) -> tuple[int, ...]:
    """The shape of one row of a tensor: what follows its first dimension, which is the rows.

    Args:
        spec: A `TensorSpec`.
        where: The tensor, for errors.
        free: Whether a dimension may be of any length, as those of an output may.

    Raises:
        InvalidDefinitionError: when the tensor has no dimension of rows, or is of no fixed size a row.
    """
    shape = tuple(int(each) for each in spec.shape)
    if not shape or shape[0] >= 0 or (-1 in shape[1:] and not free):
        raise InvalidDefinitionError(
            f"a tensor of shape {shape} is not one of any number of rows, each of the same size",
            where=where,
            fix="log the model with -1 as the first dimension of each tensor, and fixed ones after it",
        )
    return shape[1:]


def _name(name: Any, number: int, count: int) -> str:
    # The columns of a frame that was made from a matrix are called 0, 1, ….
    if name is not None:
        return str(name)
    return _UNNAMED if count == 1 else f"{_UNNAMED}_{number}"


def _tensor_type(dtype: np.dtype[Any], shape: tuple[int, ...], *, where: str) -> str:
    element = of_numpy(dtype, where=where)
    return f"ARRAY<{element}>" if shape else element


def _words_of(shape: tuple[int, ...]) -> str:
    if not shape:
        return ""
    sides = " × ".join(str(each) for each in shape)
    return f"{sides} values" if len(shape) == 1 else f"{math.prod(shape)} values: {sides}, the last dimension fastest"
