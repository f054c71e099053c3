"""Messages between a worker and the process of an isolated version: an Arrow stream each, with some words in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from penstock.errors import (
    EnvironmentProblem,
    InvalidDefinitionError,
    InvalidRequestError,
    PenstockError,
    UnknownNameError,
)
from penstock.scoring.failures import ModelDoesNotLoad, ModelFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.scoring.contract import Column

# What each message begins with: of anything else, Arrow might take the first bytes for the length of what follows.
_MARK = b"penstock"
_KEY = b"penstock"
_KINDS: tuple[type[PenstockError], ...] = (
    ModelFailed,
    ModelDoesNotLoad,
    InvalidDefinitionError,
    InvalidRequestError,
    UnknownNameError,
    EnvironmentProblem,
)
_ERRORS = {each.__name__: each for each in _KINDS}


def send(pipe: IO[bytes], words: Mapping[str, Any], table: pa.Table | None = None) -> None:
    """Write one message.

    Args:
        pipe: To the other side.
        words: What is said beside the table.
        table: Columns; none where there is nothing but words.
    """
    import pyarrow as pa

    given = pa.table({}) if table is None else table
    schema = given.schema.with_metadata({_KEY: json.dumps(words)})
    pipe.write(_MARK)
    with pa.ipc.new_stream(pipe, schema) as stream:
        stream.write_table(given.replace_schema_metadata(schema.metadata))
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], pa.Table]:
    """Read one message.

    Raises:
        ValueError: when what comes is none.
        OSError: when it ends before its end.
    """
    import pyarrow as pa

    mark = pipe.read(len(_MARK))
    if mark != _MARK:
        raise ValueError(f"a message begins with {mark!r}")
    with pa.ipc.open_stream(pipe) as stream:
        table = stream.read_all()
    return json.loads(table.schema.metadata[_KEY]), table


def error_as_words(error: PenstockError) -> dict[str, Any]:
    """An error as words of a message."""
    near = list(error.near)
    return {"error": type(error).__name__, "what": error.what, "where": error.where, "near": near, "fix": error.fix}


def error_from_words(words: Mapping[str, Any]) -> PenstockError | None:
    """The inverse of `error_as_words`; None for words that tell of no error."""
    if "error" not in words:
        return None
    kind = _ERRORS.get(words["error"], ModelFailed)
    return kind(words["what"], where=words["where"], near=words["near"], fix=words["fix"])


def as_table(columns: Mapping[str, Column]) -> pa.Table:
    """The columns that a predictor gives, as a table: a matrix is a list of fixed size."""
    import pyarrow as pa

    return pa.table({name: _as_arrow(values) for name, values in columns.items()})


def as_columns(table: pa.Table) -> dict[str, Column]:
    """The inverse of `as_table`: NumPy's arrays for numbers and booleans without NULL, as predictors give them."""
    return {name: _from_arrow(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def params_as_table(params: Mapping[str, Any]) -> pa.Table:
    """The params of a call as a table of one row."""
    import pyarrow as pa

    return pa.table({name: pa.array([value]) for name, value in params.items()})


def params_from_table(table: pa.Table) -> dict[str, Any]:
    """The inverse of `params_as_table`."""
    return {name: table.column(name)[0].as_py() for name in table.column_names}


def _as_arrow(values: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)


def _from_arrow(column: pa.ChunkedArray) -> Any:
    import pyarrow as pa

    values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    kind = values.type
    if pa.types.is_fixed_size_list(kind):
        return values.flatten().to_numpy(zero_copy_only=False).reshape(-1, kind.list_size)
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return values.to_numpy(zero_copy_only=False) if plain and not values.null_count else values
