"""What a function returns of what its model gives: the parts, their SQL types, and their values for a batch.

One part makes a plain column; several make a STRUCT with a field a part, in the order in which they are declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError, UnknownNameError
from penstock.scoring.contract import Description

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# Parts that every version has, beside the fields of its description.
VERSION, VARIANT, ERROR, SHADOW = "version", "variant", "error", "shadow"
PROBABILITY, PROBABILITIES, TOP, OUTPUTS = "probability", "probabilities", "top", "outputs"
CONTRIBUTIONS, BASE = "contributions", "base"

_TYPES = {
    VERSION: "INT",
    VARIANT: "STRING",
    ERROR: "STRING",
    PROBABILITY: "DOUBLE",
    PROBABILITIES: "MAP<STRING, DOUBLE>",
    TOP: "ARRAY<STRUCT<label: STRING, probability: DOUBLE>>",
    CONTRIBUTIONS: "MAP<STRING, DOUBLE>",
    BASE: "DOUBLE",
}
_OF_CLASSES = {PROBABILITY, PROBABILITIES, TOP}


def usual_part(description: Description) -> str:
    """What a function returns unless it is declared.

    The probability of the second class of two; the label of a classifier with more classes; the prediction of a model
    that gives one thing; all outputs of a model that gives several.
    """
    if len(description.classes) == 2:
        return PROBABILITY
    return description.fields[0].name if len(description.fields) == 1 else OUTPUTS


def part_type(part: str, description: Description, where: str) -> str:
    """The SQL type of one part.

    Raises:
        UnknownNameError: when the model gives no such thing.
        InvalidDefinitionError: when the part needs classes, and the model has none or not two.
    """
    fields = {field.name: field.type for field in description.fields}
    if part in fields:
        return fields[part]
    if part in _OF_CLASSES and not description.classes:
        raise InvalidDefinitionError(
            f"'{part}' is of a classifier with probabilities, and this model gives {', '.join(fields)}",
            where=where,
            fix=f"returns: {next(iter(fields))}",
        )
    if part == PROBABILITY and len(description.classes) != 2:
        raise InvalidDefinitionError(
            f"'probability' is of the second class of two, and this model has {len(description.classes)} classes",
            where=where,
            fix="returns: probabilities",
        )
    if part == OUTPUTS:
        return f"STRUCT<{', '.join(f'{_quoted(name)}: {kind}' for name, kind in fields.items())}>"
    if part == SHADOW:
        return part_type(usual_part(description), description, where)
    if part not in _TYPES:
        raise UnknownNameError.of("part", part, [*fields, *_TYPES, OUTPUTS, SHADOW], where=where)
    return _TYPES[part]


def returned_type(parts: Sequence[str], description: Description, where: str) -> str:
    """The SQL type of a function that returns these parts. Errors as for `part_type`."""
    types = [part_type(part, description, where) for part in parts]
    if len(parts) == 1:
        return types[0]
    return f"STRUCT<{', '.join(f'{_quoted(p)}: {t}' for p, t in zip(parts, types, strict=True))}>"


def part_values(part: str, columns: Mapping[str, Any], description: Description, top: int) -> pa.Array:
    """One part of what a model gave for a batch, for those parts that come from the model's own columns.

    Args:
        part: Its name.
        columns: What the predictor gave.
        description: Of the version.
        top: How many classes `top` lists.
    """
    import numpy as np
    import pyarrow as pa

    if part == PROBABILITY:
        return pa.array(np.ascontiguousarray(columns[PROBABILITIES][:, 1], dtype=np.float64))
    if part == PROBABILITIES:
        return _map_of(description.classes, columns[PROBABILITIES])
    if part == CONTRIBUTIONS:
        return _map_of([each.name for each in description.inputs], columns[CONTRIBUTIONS])
    if part == TOP:
        return _top(columns[PROBABILITIES], description.classes, top)
    if part == OUTPUTS:
        names = [field.name for field in description.fields]
        return pa.StructArray.from_arrays([_array(columns[name]) for name in names], names)
    return _array(columns[part])


def combined(parts: Sequence[str], values: Mapping[str, pa.Array], wanted: pa.DataType) -> pa.Array:
    """The result of a batch, in the Arrow type of the function's SQL type.

    Args:
        parts: What the function returns.
        values: Each part's values.
        wanted: The Arrow type.
    """
    import pyarrow as pa

    if len(parts) == 1:
        return _cast(values[parts[0]], wanted)
    fields = [_cast(values[part], wanted.field(i).type) for i, part in enumerate(parts)]
    return pa.StructArray.from_arrays(fields, fields=list(wanted))


def _cast(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    return values if values.type == wanted else values.cast(wanted)


def _array(values: Any) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if not isinstance(values, np.ndarray):
        return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values)
    if values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        offsets = np.arange(0, values.size + 1, max(values.shape[1], 1), dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets[: len(values) + 1]), flat)
    return pa.array(values)


def _map_of(names: Sequence[str], matrix: np.ndarray[Any, Any]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    rows, width = matrix.shape
    keys = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(width, dtype=np.int32), rows)), pa.array(list(names))
    )
    offsets = pa.array(np.arange(0, rows * width + 1, width, dtype=np.int32))
    return pa.MapArray.from_arrays(
        offsets, keys.dictionary_decode(), pa.array(np.ascontiguousarray(matrix, dtype=np.float64).reshape(-1))
    )


def _top(matrix: np.ndarray[Any, Any], classes: Sequence[str], top: int) -> pa.Array:
    """The likeliest classes first; of equal ones, the first of the model's."""
    import numpy as np
    import pyarrow as pa

    count = min(top, matrix.shape[1])
    order = np.argsort(-matrix, axis=1, kind="stable")[:, :count]
    labels = pa.array(list(classes)).take(pa.array(order.reshape(-1)))
    chances = pa.array(np.take_along_axis(matrix, order, axis=1).astype(np.float64).reshape(-1))
    pairs = pa.StructArray.from_arrays([labels, chances], ["label", "probability"])
    return pa.ListArray.from_arrays(pa.array(np.arange(0, len(matrix) * count + 1, count, dtype=np.int32)), pairs)


def _quoted(name: str) -> str:
    escaped = name.replace("`", "``")
    return f"`{escaped}`"
