"""The columns of a batch as libraries of models take them: as they saw them in training.

The rule is what MLflow's own enforcement gives for the same data, so that a model scores here as it does there:

| SQL | without NULL | with NULL |
|---|---|---|
| BOOLEAN | bool | object of True, False, None |
| INT, BIGINT | int32, int64 | float64 with NaN |
| FLOAT, DOUBLE | float32, float64 | the same, with NaN |
| STRING, BINARY | object of str, bytes | the same, with None |
| TIMESTAMP | datetime64[ns], no zone: the wall clock of the column's zone | the same, with NaT |
| ARRAY | object of NumPy arrays | the same, with None |
| STRUCT, MAP | object of dicts | the same, with None |

In a matrix all columns are of one type of number, and NULL is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Input
from penstock.scoring.failures import ModelFailed
from penstock.scoring.flavours.types import NUMBERS, element_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


def all_numbers(inputs: Sequence[Input]) -> bool:
    """Whether the inputs can be a matrix."""
    return all(each.type in NUMBERS or each.type == "BOOLEAN" for each in inputs)


def frame(table: pa.Table) -> pd.DataFrame:
    """A batch as a frame, by the rule of this module."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            column = table.column(i)
            naive = column if field.type.tz is None else pc.local_timestamp(column)
            table = table.set_column(i, field.name, naive.cast(pa.timestamp("ns")))
    made: pd.DataFrame = table.to_pandas(maps_as_pydicts="strict", ignore_metadata=True)
    return made


def categories(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """A batch as a frame, with the columns of these names as pandas' categories of text or of int64. Their order is
    that of the batch: a library has to find each by its value.
    """
    import pyarrow as pa

    for name in names:
        column = table.column(name)
        if pa.types.is_integer(column.type):
            column = column.cast(pa.int64())
        table = table.set_column(table.column_names.index(name), name, column.combine_chunks().dictionary_encode())
    return frame(table)


def matrix(table: pa.Table, dtype: str = "float64") -> np.ndarray[Any, Any]:
    """The columns of a batch side by side, as numbers of one type.

    Raises:
        ModelFailed: when a NULL would have to be a whole number.
    """
    import numpy as np

    made: np.ndarray[Any, Any] = np.empty((table.num_rows, table.num_columns), dtype=dtype)
    for i, name in enumerate(table.column_names):
        made[:, i] = vector(table.column(i), name, dtype)
    return made


def vector(column: pa.ChunkedArray, name: str, dtype: Any) -> np.ndarray[Any, Any]:
    """One column of numbers, booleans or text as an array of a NumPy type; text stays object.

    Raises:
        ModelFailed: when a NULL would have to be a whole number or a boolean.
    """
    import numpy as np
    import pyarrow as pa

    wanted = np.dtype(dtype)
    if column.null_count and wanted.kind in "iub":
        raise ModelFailed(
            f"input '{name}' holds a NULL, which the model's tensor of {wanted} can not",
            fix="replace the NULLs before the call",
        )
    if pa.types.is_boolean(column.type) and column.null_count:
        column = column.cast(pa.int8())
    array: np.ndarray[Any, Any] = column.to_numpy()
    return array if wanted.kind in "OUS" else array.astype(wanted, copy=False)


def tensor(column: pa.ChunkedArray, each: Input, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """The rows of an input as one tensor.

    Args:
        column: An ARRAY column, or a plain one if `shape` is empty.
        each: The input.
        shape: The shape of a row.
        dtype: NumPy's type of the values.

    Raises:
        ModelFailed: when an array is NULL or of another length than the model takes.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not element_of(each.type):
        return vector(column, each.name, dtype).reshape(-1, *shape)
    size = math.prod(shape)
    lengths = pc.list_value_length(column)
    wrong = column.filter(pc.invert(pc.fill_null(pc.equal(lengths, size), False)))
    if len(wrong):
        first = wrong[0]
        raise ModelFailed(
            f"input '{each.name}' takes {size} values a row, and a row has {len(first) if first.is_valid else 'NULL'}",
            fix=f"give an array of {size} values",
        )
    values = pc.list_flatten(column)
    flat = vector(values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values]), each.name, dtype)
    return np.ascontiguousarray(flat).reshape(len(column), *shape)
