"""What a library of models gives, held against the model's description: names, number of rows, types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Description, Field
from penstock.scoring.failures import ModelFailed
from penstock.scoring.flavours.types import as_arrow, element_of

if TYPE_CHECKING:
    from penstock.scoring.contract import Column

PROBABILITIES = "probabilities"
_FLOATS = {"FLOAT": "float32", "DOUBLE": "float64"}
_NOT_AS_DESCRIBED = "log the model with a signature of the predictions that it makes"


def by_field(values: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """What a model gave, as one value a field.

    Args:
        values: An array, a frame or series, a mapping of names to columns, a list of one value or one mapping a row, or
            a tuple of columns. Columns of which none has the name of a field are taken in their order.
        fields: What it should be.

    Raises:
        ModelFailed: when there are more or fewer columns than fields.
    """
    import numpy as np

    # Mappings of rows may be what the one field holds.
    if len(fields) == 1 and fields[0].type.startswith(("STRUCT", "MAP")):
        return {fields[0].name: values}
    values = _by_name(values)
    if len(fields) == 1:
        return {fields[0].name: _only(values, fields[0])}
    if not isinstance(values, Mapping):
        columns = values if isinstance(values, tuple) else np.asarray(values)
        if not isinstance(columns, tuple):
            columns = tuple(columns.T) if columns.ndim == 2 else (columns,)
        values = dict(enumerate(columns))
    named = {str(name): column for name, column in values.items()}
    known = [each.name in named for each in fields]
    if all(known):
        return {each.name: named[each.name] for each in fields}
    if any(known) or len(named) != len(fields):
        raise ModelFailed(
            f"the model gives the outputs {', '.join(named)}; {', '.join(each.name for each in fields)} are expected",
            fix=_NOT_AS_DESCRIBED,
        )
    return dict(zip((each.name for each in fields), named.values(), strict=True))


def checked(given: Mapping[str, Any], description: Description, rows: int) -> dict[str, Column]:
    """The values of each field as a column of its type, one value a row.

    Raises:
        ModelFailed: when a column is of another length or of a type that its field can not hold.
    """
    made = {each.name: column(given[each.name], each, rows) for each in description.fields}
    if description.classes:
        made[PROBABILITIES] = _probabilities(given[PROBABILITIES], len(description.classes), rows)
    return made


def empty(description: Description) -> dict[str, Column]:
    """The columns of no rows: many libraries refuse them."""
    import numpy as np
    import pyarrow as pa

    made: dict[str, Column] = {each.name: pa.array([], as_arrow(each.type)) for each in description.fields}
    if description.classes:
        made[PROBABILITIES] = np.empty((0, len(description.classes)))
    return made


def column(values: Any, field: Field, rows: int) -> Column:
    """One field's values as a column: an array of floats, booleans or whole numbers, a matrix for vectors of numbers,
    Arrow for all else. A missing number with a fraction is NaN, any other missing value NULL.

    Raises:
        ModelFailed: see `checked`.
    """
    import numpy as np

    values = _plain(values)
    length = len(values) if getattr(values, "ndim", 1) else 1
    if length != rows:
        raise ModelFailed(
            f"the model gives {length} values of {field.name} for {rows} rows",
            fix="a model gives one value a row, in the order of the rows",
        )
    try:
        if isinstance(values, np.ndarray) and values.ndim > 1:
            return _vectors(values, field)
        if field.type in _FLOATS:
            return _floats(values, _FLOATS[field.type])
        return _arrow(values, field)
    except (TypeError, ValueError, OverflowError) as error:  # pyarrow's errors are of these
        raise ModelFailed(
            f"the model gives {_type_of(values)} for {field.name}, which is {field.type}: {str(error)[:200]}",
            fix=_NOT_AS_DESCRIBED,
        ) from error


def _by_name(values: Any) -> Any:
    import pandas as pd

    if isinstance(values, pd.DataFrame):
        return {name: values.iloc[:, i] for i, name in enumerate(values.columns)}
    if isinstance(values, list) and values and isinstance(values[0], Mapping):
        return {name: [row.get(name) for row in values] for name in values[0]}
    return values


def _only(values: Any, field: Field) -> Any:
    """The one output: a frame of many columns is a vector a row, and a matrix of one column a number a row."""
    import numpy as np

    if isinstance(values, tuple) and len(values) == 1:
        values = values[0]
    if isinstance(values, Mapping):
        columns = [_plain(each) for each in values.values()]
        values = columns[0] if len(columns) == 1 else np.column_stack(columns)
    values = _plain(values)
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1 and not element_of(field.type):
        return values[:, 0]
    return values


def _plain(values: Any) -> Any:
    """Arrays and lists as they are, and what holds one as it: series, tensors of any library, sparse matrices."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if isinstance(values, (np.ndarray, pa.Array)):
        return values
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, (pd.Series, pd.Index)):
        return values.array if values.dtype.kind == "M" or not isinstance(values.dtype, np.dtype) else values.to_numpy()
    if hasattr(values, "toarray"):
        return values.toarray()
    if isinstance(values, (list, tuple)):
        return list(values)
    return np.asarray(values)


def _vectors(values: Any, field: Field) -> Any:
    import numpy as np

    element = element_of(field.type)
    if not element or element_of(element):
        raise TypeError(f"an array of shape {values.shape}")
    kind = as_arrow(element)
    flat = column(values.reshape(-1), Field(field.name, element), values.size)
    return flat.reshape(values.shape[0], -1) if isinstance(flat, np.ndarray) else _lists(flat, values, kind)


def _lists(flat: Any, values: Any, kind: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    width = values.size // max(values.shape[0], 1)
    offsets = pa.array(np.arange(values.shape[0] + 1, dtype="int32") * width)
    return pa.ListArray.from_arrays(offsets, flat, type=pa.list_(pa.field("element", kind)))


def _floats(values: Any, kind: str) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(values, pd.api.extensions.ExtensionArray):
        values = values.to_numpy(dtype="float64", na_value=np.nan)
    if hasattr(values, "type"):  # Arrow's
        values = values.to_numpy(zero_copy_only=False)
    array = np.asarray(values)
    if array.dtype.kind not in "fiubO" or (array.dtype.kind == "O" and any(isinstance(v, (str, bytes)) for v in array)):
        raise TypeError("no numbers")
    return array.astype(kind, copy=False)


def _arrow(values: Any, field: Field) -> Any:
    import pyarrow as pa

    wanted = as_arrow(field.type)
    if element_of(field.type) or field.type.startswith(("STRUCT", "MAP")):
        return pa.array(list(values), wanted, from_pandas=True)
    array = values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not pa.types.is_null(array.type) and _family(array.type) not in _TAKEN_FROM[_family(wanted)]:
        raise TypeError(f"values of type {array.type}")
    if pa.types.is_timestamp(wanted) and pa.types.is_timestamp(array.type) and array.type.tz is None:
        array = array.cast(pa.timestamp("us"))
    array = array.cast(wanted)
    whole_or_boolean = field.type in {"INT", "BIGINT", "BOOLEAN"} and not array.null_count
    return array.to_numpy(zero_copy_only=False) if whole_or_boolean else array


# Of which families of types a field takes values. What has no fraction may come as floats, as it does with NaN.
_TAKEN_FROM = {
    "number": {"number", "boolean"},
    "boolean": {"boolean"},
    "text": {"text"},
    "bytes": {"bytes"},
    "time": {"time"},
}


def _family(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "bytes"
    return "time" if pa.types.is_temporal(kind) else "other"


def _probabilities(values: Any, classes: int, rows: int) -> Any:
    import numpy as np

    matrix = np.asarray(values)
    if matrix.shape != (rows, classes):
        raise ModelFailed(f"the model gives probabilities of shape {matrix.shape} for {rows} rows of {classes} classes")
    return matrix.astype("float64", copy=False)


def _type_of(values: Any) -> str:
    dtype = getattr(values, "dtype", None)
    shape = getattr(values, "shape", None)
    if dtype is None:
        return f"a list of {type(values[0]).__name__}" if len(values) else "an empty list"
    return f"an array of {dtype}" + (f" of shape {shape}" if shape and len(shape) > 1 else "")
