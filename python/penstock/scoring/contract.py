"""What a model takes and gives, and the one shape in which every engine scores it.

A `Description` is known when a version is registered, before a row is scored, and travels as JSON with the version's
files. A `Predictor` is what an engine makes of a version in a worker: MLflow's own object called natively, or a faster
equal of it (`linear`, `trees`, ONNX Runtime).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Column: TypeAlias = pa.Array | pa.ChunkedArray | np.ndarray[Any, Any]

# From the inputs (one column an input, in the order of the description, in Arrow's type of its SQL type, with NULLs)
# and the call's params to the fields of the description, each as long as the table. `probabilities` is a float64
# matrix of one column a class, a field of type ARRAY a matrix or an Arrow list array, any other field one column.
Predictor = Callable[["pa.Table", Mapping[str, Any]], Mapping[str, "Column"]]

# From the inputs, as a predictor takes them, to what moved each row's score: float64 of one base a row, and a float64
# matrix of one column an input, in the order of the description. Base and contributions of a row add up to the raw
# margin, which is what the model computes before its link: log-odds where it gives a probability, a logarithm where
# it gives a rate, the prediction itself where there is no link.
Contributions = Callable[["pa.Table"], tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]]


@dataclass(frozen=True)
class Input:
    """One argument of a model.

    Attributes:
        name: Its name; SQL compares it without regard to case.
        type: Its SQL type in Spark's words: DOUBLE, STRING, ARRAY<FLOAT>, ….
        required: Whether a NULL was never seen in training.
        comment: What it means, for people.
        levels: The values that the model has seen in training, where it takes them for levels (categories); none where
            it does not, or does not say. They are texts, or numbers as the type has them; NULL and NaN are no levels.
    """

    name: str
    type: str
    required: bool
    comment: str = ""
    levels: tuple[str, ...] | tuple[float, ...] = ()

    @cached_property
    def arrow_levels(self) -> pa.Array:
        """The levels as Arrow compares them with the input's values."""
        import pyarrow as pa

        whole = {"STRING": pa.string(), "INT": pa.int64(), "BIGINT": pa.int64()}
        return pa.array(self.levels, whole.get(self.type, pa.float64()))


@dataclass(frozen=True)
class Param:
    """One parameter of MLflow's signature, which a call may set and which is the same for all rows of a call.

    Attributes:
        name: Its name.
        type: Its SQL type.
        default: What it is where a call does not say.
    """

    name: str
    type: str
    default: Any


@dataclass(frozen=True)
class Field:
    """One thing that a model gives for a row: its name and its SQL type."""

    name: str
    type: str


@dataclass(frozen=True)
class Description:
    """What a version of a model takes and gives.

    Attributes:
        inputs: In the order of the signature.
        fields: What it gives, without the probabilities: `prediction` for a regressor, a text or a vector; `label` for
            a classifier; each output by its name for a model with several.
        classes: The names of a classifier's classes in the order of its probabilities; none where it has none.
        params: What a call may set.
    """

    inputs: tuple[Input, ...]
    fields: tuple[Field, ...]
    classes: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `as_json`."""
        return cls(
            inputs=tuple(Input(**{**each, "levels": tuple(each.get("levels", ()))}) for each in told["inputs"]),
            fields=tuple(Field(**each) for each in told["fields"]),
            classes=tuple(told["classes"]),
            params=tuple(Param(**each) for each in told["params"]),
        )


@dataclass(frozen=True)
class Loaded:
    """A version in memory, ready to score.

    Attributes:
        description: What it takes and gives.
        predict: Scores a table.
        size: Bytes of memory that it holds, as well as can be told.
        contributions: Explains the rows of a table, where the model's own library can: base plus contributions is the
            raw margin, within the library's precision (float32 for XGBoost). None where it can not, or where a row
            has more than one margin.
        native: The library's own object, for engines that read it; None where there is none to read.
        unused: The names of the inputs that `predict` does not read, whatever is in their columns.
        ended: Whether it can score no more, and has to be loaded again: that of a process of its own.
    """

    description: Description
    predict: Predictor
    size: int
    contributions: Contributions | None = None
    native: Any = None
    unused: frozenset[str] = frozenset()
    ended: Callable[[], bool] = lambda: False

    @property
    def used(self) -> tuple[str, ...]:
        """The names of the inputs that `predict` reads, in the order of the description."""
        return tuple(each.name for each in self.description.inputs if each.name not in self.unused)
