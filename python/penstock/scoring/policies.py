"""Rows that a function's policies keep from its model: those with a NULL, and those with an unknown level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from penstock.scoring.contract import Input

    Mask = np.ndarray[Any, Any]


def nulls(table: pa.Table, inputs: Sequence[Input]) -> Iterator[tuple[Mask, str]]:
    """The rows of each input that are NULL, with what is wrong about them.

    Args:
        table: One column an input.
        inputs: Those to look at.
    """
    import pyarrow.compute as pc

    for each in inputs:
        column = table[each.name]
        if column.null_count:
            yield pc.is_null(column).to_numpy(), f"input '{each.name}' is NULL"


def unknown_levels(table: pa.Table, inputs: Sequence[Input], *, where: str) -> Iterator[tuple[Mask, str]]:
    """The rows of each input whose level the model has not seen, with what is wrong about them; NULL is no level.

    Args:
        table: One column an input.
        inputs: Those to look at.
        where: The function and the version, for errors.

    Raises:
        InvalidRequestError: when the model says the levels of no input.
    """
    if not any(each.levels for each in inputs):
        raise InvalidRequestError(
            "this version says of no input which levels it knows",
            where=where,
            fix="leave on_unknown out of the function",
        )
    for each in inputs:
        if each.levels:
            bad = _unknown(table[each.name], each.arrow_levels)
            if bad.any():
                # Not the level, which is a user's data.
                yield bad, f"input '{each.name}' has a level that the model does not know"


def _unknown(column: pa.ChunkedArray, levels: pa.Array) -> Mask:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.cast(levels.type)
    if pa.types.is_floating(values.type):
        values = pc.add(values, 0.0)  # -0.0 is equal to 0.0, and Arrow's look-up tells them apart
    known = pc.is_in(values, value_set=levels)
    missing = pc.is_null(values, nan_is_null=True)
    mask: Mask = pc.invert(pc.or_(known, missing)).to_numpy()
    return mask
