"""The parts of a function as columns over the table that a pipeline has transformed.

`penstock.scoring.returns` has the same parts of a batch in a worker; their meaning is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Description
from penstock.scoring.live import Live
from penstock.scoring.returns import OUTPUTS, PROBABILITIES, PROBABILITY, TOP, VARIANT, VERSION
from penstock.scoring.spark_ml.outputs import Outputs
from penstock.scoring.spark_ml.plan import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Asked:
    """What a call of a function asks.

    Attributes:
        function: Its name, for errors.
        parts: What it returns.
        top: How many classes the part `top` lists.
        on_null: As declared.
    """

    function: str
    parts: tuple[str, ...]
    top: int = 3
    on_null: str = "model"


def result_of(asked: Asked, live: Live, description: Description, outputs: Outputs, table: DataFrame) -> Column:
    """The result of a function: its one part, or a struct of them.

    Args:
        asked: What the function returns, and its policies.
        live: The version that scores.
        description: Of the version.
        outputs: Where the table has what the pipeline gives.
        table: A table of the inputs that the pipeline has transformed.

    Raises:
        InvalidDefinitionError: when the pipeline has no such part.
    """
    from pyspark.sql import functions as f

    told = {VERSION: f.lit(live.version), VARIANT: f.lit(live.alias)}
    made = _Parts(asked, outputs, table)
    columns = [
        told[part] if part in told else _by_policy(asked, made.part(part), description).alias(part)
        for part in asked.parts
    ]
    if len(columns) == 1:
        return columns[0]
    return f.struct(*(column.alias(part) for column, part in zip(columns, asked.parts, strict=True)))


def _by_policy(asked: Asked, part: Column, description: Description) -> Column:
    """A part where no input is NULL, or NULL means what the pipeline makes of it."""
    from pyspark.sql import functions as f

    if asked.on_null == "model":
        return part
    chain: Any = f
    for each in description.inputs:
        failed = _failing(f"{asked.function} cannot score a row: input '{each.name}' is NULL")
        chain = chain.when(f.col(quoted(each.name)).isNull(), f.lit(None) if asked.on_null == "skip" else failed)
    return chain.otherwise(part)


class _Parts:
    """The parts that come from the pipeline; a row for which it gave NaN fails."""

    def __init__(self, asked: Asked, outputs: Outputs, table: DataFrame) -> None:
        self.asked = asked
        self.outputs = outputs
        self.table = table

    def part(self, part: str) -> Column:
        from pyspark.sql import functions as f

        names = [field.name for field in self.outputs.fields]
        if part in names:
            return self._field(names.index(part))
        if part == OUTPUTS:
            return f.struct(*(self._field(place).alias(name) for place, name in enumerate(names)))
        if part == PROBABILITY:
            return self._not_nan(self._probabilities()[1])
        if part == PROBABILITIES:
            first, *others = (f.lit(each) for each in self.outputs.classes)
            return f.map_from_arrays(f.array(self._checked(first, "STRING"), *others), self._probabilities())
        if part == TOP:
            return self._top()
        raise InvalidDefinitionError(
            f"'{part}' cannot be had of a Spark ML model",
            where=self.asked.function,
            fix=f"of {', '.join([*names, PROBABILITY, PROBABILITIES, TOP, VERSION, VARIANT])}, those it gives",
        )

    def _field(self, place: int) -> Column:
        from pyspark.ml.functions import vector_to_array
        from pyspark.ml.linalg import VectorUDT
        from pyspark.sql import functions as f

        name, kind = self.outputs.columns[place], self.outputs.fields[place].type
        column = f.col(quoted(name))
        if self.outputs.named:
            column = f.element_at(_texts(self.outputs.names), column.cast("int") + 1)
        if isinstance(self.table.schema[name].dataType, VectorUDT):
            return vector_to_array(column)
        if self.outputs.probability:
            return self._checked(column, kind)
        return self._not_nan(column) if kind in ("DOUBLE", "FLOAT") else column

    def _probabilities(self) -> Column:
        from pyspark.ml.functions import vector_to_array
        from pyspark.sql import functions as f

        return vector_to_array(f.col(quoted(self.outputs.probability)))

    def _not_nan(self, number: Column) -> Column:
        from pyspark.sql import functions as f

        return f.nanvl(number, self._failed().cast("double"))

    def _checked(self, label: Column, kind: str) -> Column:
        """A label of this type, if no probability is NaN.

        The check is joined to the value, where a condition around it would make Spark compute the margins twice: it
        finds common subexpressions of what is always evaluated, not of a branch.
        """
        from pyspark.sql import functions as f

        nan = f.array_contains(self._probabilities(), f.lit(math.nan))
        if kind == "STRING":
            return f.concat(label, f.when(nan, self._failed()).otherwise(f.lit("")))
        return label + f.when(nan, self._failed()).otherwise(f.lit(0.0))

    def _top(self) -> Column:
        from pyspark.sql import functions as f

        chances = self._probabilities()
        # A struct is sorted by its fields in turn: of equal chances, the first class of the model's.
        each = f.transform(chances, lambda p, i: f.struct((-p).alias("down"), i.alias("i"), p.alias("p")))
        texts = _texts(self.outputs.classes)
        return f.transform(
            f.slice(f.array_sort(each), 1, self.asked.top),
            lambda one: f.struct(
                f.element_at(texts, one["i"] + 1).alias("label"), self._not_nan(one["p"]).alias("probability")
            ),
        )

    def _failed(self) -> Column:
        return _failing(f"{self.asked.function} cannot score a row: the model gave NaN")


def _failing(message: str) -> Column:
    from pyspark.sql import functions as f

    return f.raise_error(f.lit(f"{message}; mend the rows, or leave them out"))


def _texts(names: Sequence[str]) -> Any:
    from pyspark.sql import functions as f

    return f.array(*(f.lit(each) for each in names))
