"""A logged model's files, and what a flavour makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.scoring.contract import Contributions, Field, Input, Param
from penstock.scoring.flavours import describe

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Logged:
    """A logged model that lies on this machine.

    Attributes:
        source: Where it came from, for people.
        folder: Where its files are.
        meta: Its `mlflow.models.Model`.
        inputs: Its arguments.
        params: What its signature lets a call set.
    """

    source: str
    folder: Path
    meta: Any
    inputs: tuple[Input, ...]
    params: tuple[Param, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs, in order."""
        return tuple(each.name for each in self.inputs)

    @property
    def takes_tensors(self) -> bool:
        """Whether the signature speaks of tensors and not of columns."""
        return bool(self.meta.get_input_schema().is_tensor_spec())

    @property
    def declares_outputs(self) -> bool:
        """Whether the signature says what the model gives."""
        return self.meta.get_output_schema() is not None

    def outputs(self) -> tuple[Field, ...]:
        """What the signature says that the model gives; raises what `describe.outputs_of` does."""
        return describe.outputs_of(self.meta, where=self.source)


@dataclass(frozen=True)
class Scoring:
    """What a flavour makes of a model.

    Attributes:
        fields: What it gives a row, without the probabilities.
        predict: From the inputs and all params to the values of the fields as the library gave them, and to
            `probabilities`; `load` checks them.
        classes: The names of a classifier's classes.
        takes_params: Whether the library takes what the signature lets a call set.
        contributions: See `penstock.scoring.contract.Loaded`.
        levels: The levels that the model knows, by input, for those that it takes for levels.
        size: Bytes of memory, where the library tells; 0 where not.
    """

    fields: tuple[Field, ...]
    predict: Callable[[pa.Table, Mapping[str, Any]], Mapping[str, Any]]
    classes: tuple[str, ...] = ()
    takes_params: bool = False
    contributions: Contributions | None = None
    levels: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    size: int = 0
