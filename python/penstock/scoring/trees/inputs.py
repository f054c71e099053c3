"""From the inputs of a version to the matrix that its trees see, without the inputs on which no score depends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Description, Input
from penstock.scoring.flavours import columns
from penstock.scoring.flavours.steps import trace
from penstock.scoring.flavours.types import NUMBERS, as_arrow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from penstock.scoring.trees.predictor import TreePredictor

    Matrix = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Features:
    """What the trees see.

    Attributes:
        matrix: From the inputs to float64.
        unused: The names of the inputs that it does not read.
    """

    matrix: Callable[[pa.Table], Matrix]
    unused: frozenset[str]


# From a model, its description, the names of its inputs as its first step takes them, and its compiled trees.
FeaturesOf = Callable[[Any, Description, Sequence[str], "TreePredictor"], Features | None]


def of_inputs(native: Any, description: Description, order: Sequence[str], compiled: TreePredictor) -> Features:
    """The features are the inputs; those in no split are 0."""
    del native, description
    used = compiled.used

    def matrix(table: pa.Table) -> Matrix:
        import numpy as np

        made: Matrix = np.zeros((table.num_rows, len(order)))
        for at in used:
            made[:, at] = columns.vector(table.column(order[at]), order[at], "float64")
        return made

    return Features(matrix, frozenset(order) - {order[at] for at in used})


def of_transformed(native: Any, description: Description, order: Sequence[str], compiled: TreePredictor) -> Features:
    """The features are what a pipeline's fitted transformers make of the inputs.

    An input is not read where all that is made of it is certain, and in no split: the transformers get one value that
    they know in all its rows.
    """
    before = native[:-1]
    traced = trace([step for _, step in before.steps], order)
    fixed = {}
    if len(traced.columns) == compiled.ensemble.n_features:
        needed = {traced.columns[at].input for at in compiled.used} | traced.opaque
        for each in description.inputs:
            if each.name not in needed and each.type in {*NUMBERS, "STRING"}:
                fixed[each.name] = _known_value(each, traced.levels.get(each.name, ()))

    def matrix(table: pa.Table) -> Matrix:
        import numpy as np
        import pyarrow as pa

        given = table.select(order)
        for name, value in fixed.items():
            given = given.set_column(order.index(name), name, pa.repeat(value, table.num_rows))
        made = before.transform(columns.frame(given))
        return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)

    return Features(matrix, frozenset(fixed))


def of_lookups(native: Any, description: Description, order: Sequence[str], compiled: TreePredictor) -> Features | None:
    """The features are what a pipeline's transformers make of the inputs, without the library: those in a split.

    None where the steps before the trees do more than a lookup can.
    """
    from penstock.scoring.linear.columns import Raw
    from penstock.scoring.linear.formula import NotLinear
    from penstock.scoring.linear.from_sklearn import columns_behind
    from penstock.scoring.linear.matrix import matrix_of

    steps = [step for _, step in native.steps[:-1]]
    try:
        made = columns_behind(steps, [Raw(each) for each in order])
        matrix = matrix_of(made, compiled.used, description)
    except NotLinear:
        return None
    return Features(matrix, frozenset(order) - {made[at].input for at in compiled.used})


def _known_value(each: Input, levels: Sequence[Sequence[Any]]) -> pa.Scalar:
    """A value that no transformer refuses."""
    import pyarrow as pa

    known = [level for level in (levels[0] if levels else ()) if level is not None and level == level]  # noqa: PLR0124
    usual = "" if each.type == "STRING" else 0
    return pa.scalar(known[0] if known else usual, as_arrow(each.type))
