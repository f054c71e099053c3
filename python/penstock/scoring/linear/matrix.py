"""What the transformers of a pipeline hand to its last step, over Arrow columns: numbers as they are, and lookups.

Each value is the very number that the library makes, for a tree's threshold may lie beside it: so there are no scalers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Description
from penstock.scoring.flavours.types import NUMBERS
from penstock.scoring.linear.columns import Column, Raw, Table
from penstock.scoring.linear.formula import NotLinear

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Matrix = np.ndarray[Any, Any]


def matrix_of(columns: Sequence[Column], used: Sequence[int], description: Description) -> Callable[[pa.Table], Matrix]:
    """From the inputs of a model to the matrix that its last step sees.

    Args:
        columns: The columns of the matrix.
        used: The places of those that the last step reads; the others are 0.
        description: Of the model.

    Returns:
        A function from a batch to float64 of one row a row and one column each of `columns`.

    Raises:
        NotLinear: when one of those is scaled, has no number for unknown levels, or is not of the type that it needs.
    """
    types = {each.name: each.type for each in description.inputs}
    for at in used:
        _check(columns[at], types[columns[at].input])

    def matrix(table: pa.Table) -> Matrix:
        import numpy as np

        made: Matrix = np.zeros((table.num_rows, len(columns)), order="F")
        places: dict[tuple[str, tuple[str | float, ...]], Matrix] = {}
        for at in used:
            column = columns[at]
            if isinstance(column, Table):
                made[:, at] = _looked_up(column, table, places)
            else:
                made[:, at] = _number(column, table)
        return made

    return matrix


def _check(column: Column, kind: str) -> None:
    where = f"input '{column.input}'"
    if isinstance(column, Table):
        # NaN may be what the encoder makes of a level, or that it refuses it
        if column.unknown is None:
            raise NotLinear("an encoder that refuses unknown levels", where=where)
        fits = kind == "STRING" if column.kind == "text" else kind in NUMBERS
    elif isinstance(column, Raw):
        # the library rounds what it fills a column of FLOAT with
        fits = kind in NUMBERS and (column.fill is None or kind != "FLOAT")
    else:
        raise NotLinear("a scaled number", where=where)
    if not fits:
        raise NotLinear(f"a column of type {kind}", where=where)


def _number(column: Column, table: pa.Table) -> Matrix:
    import numpy as np

    from penstock.scoring.flavours.columns import vector

    values = vector(table.column(column.input), column.input, "float64")
    if isinstance(column, Raw) and column.fill is not None:
        values = np.where(np.isnan(values), float(column.fill), values)
    return values


def _looked_up(column: Table, table: pa.Table, places: dict[tuple[str, tuple[str | float, ...]], Matrix]) -> Matrix:
    """The column's numbers; columns of the same input and levels, as one-hot has many, look each row up once."""
    import numpy as np

    from penstock.scoring.linear.native import places_of_levels

    levels = tuple(column.values)
    if (column.input, levels) not in places:
        places[column.input, levels] = places_of_levels(table.column(column.input), column.kind, levels)
    numbers: Matrix = np.array([*column.values.values(), column.unknown, column.missing])
    found: Matrix = numbers[places[column.input, levels]]
    return found
