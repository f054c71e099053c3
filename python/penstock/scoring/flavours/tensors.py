"""What torch and TensorFlow have in common: tensors in, tensors out, in batches that memory holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Field
from penstock.scoring.flavours import columns, describe, results
from penstock.scoring.flavours.logged import Logged

if TYPE_CHECKING:
    import pyarrow as pa

# Rows a call: what a network computes between its layers is many times its input.
_ROWS = 4096


def of_table(table: pa.Table, logged: Logged) -> dict[str, Any]:
    """The inputs of a network as NumPy arrays by name: each tensor of the signature, or all columns side by side as one
    float32 matrix, whose name is empty.
    """
    if not logged.takes_tensors:
        return {"": columns.matrix(table, "float32")}
    made = {}
    for column, each, spec in zip(table.columns, logged.inputs, logged.meta.get_input_schema().inputs, strict=True):
        shape = describe.row_shape(spec, where=logged.source)
        made["" if spec.name is None else spec.name] = columns.tensor(column, each, shape, spec.type)
    return made


def check_inputs(logged: Logged) -> None:
    """Refuse columns that no matrix of numbers can hold.

    Raises:
        InvalidDefinitionError: for text, timestamps and other columns that are no numbers.
    """
    if not logged.takes_tensors and not columns.all_numbers(logged.inputs):
        raise InvalidDefinitionError(
            "a network takes columns of numbers; the signature has others",
            where=logged.source,
            fix="turn text and timestamps into numbers in the model of features, or log a pyfunc that does",
        )


def run(given: Mapping[str, Any], fields: Sequence[Field], call: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Call a network on some rows at a time.

    Args:
        given: What `of_table` made.
        fields: What the network gives.
        call: From some rows of the inputs to what the network gives of them, as NumPy arrays.

    Returns:
        The values by field.
    """
    import numpy as np

    rows = len(next(iter(given.values())))
    parts = []
    for start in range(0, rows, _ROWS):
        batch = {name: array[start : start + _ROWS] for name, array in given.items()}
        parts.append(results.by_field(call(batch), fields))
    return {each.name: np.concatenate([_plain(part[each.name], each) for part in parts]) for each in fields}


def _plain(values: Any, field: Field) -> Any:
    import numpy as np

    array = np.asarray(values)
    one = array.ndim == 2 and array.shape[1] == 1 and "<" not in field.type
    return array[:, 0] if one else array
