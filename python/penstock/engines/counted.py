"""Rows that a plan scores by itself, counted by the plan: a version that is SQL, or Spark ML, has no worker to count.

The expression adds to an accumulator of Spark's and gives the score. This is internal API of Spark 4.2.
"""

from __future__ import annotations

import json
from typing import Any

from penstock.engines.builders import Builder, text_in
from penstock.engines.java import CATALYST
from penstock.engines.usage import ERROR_BITS, ledger
from penstock.errors import InvalidRequestError
from penstock.scoring.functions import COUNTED
from penstock.scoring.usage import Use

_TYPES = "org.apache.spark.sql.types"
_EXPRESSIONS = f"{CATALYST}.expressions"
_SALT = (1 << (62 - ERROR_BITS)) - 1


class Counted(Builder):
    """Gives the score, and counts the row."""

    name = COUNTED
    usage = f"{COUNTED}(use, fails, score) - Counts a row that is scored; call a function in the schema ml instead."

    def expression(self, arguments: list[Any]) -> Any:
        use = text_in(arguments[0]) if len(arguments) == 3 else None
        if use is None:
            raise InvalidRequestError(f"{COUNTED}() is no function to call", where=COUNTED, fix="predict(…)")
        _, fails, score = arguments
        accumulator = ledger().in_plans(Use(*json.loads(use)))
        held = self.java.new(f"{_EXPRESSIONS}.Literal", accumulator, self._type_of(accumulator))
        # What adds to it has to differ between calls, or one that stands beside another is left out as the same.
        salt = (score.semanticHash() & _SALT | 1) << ERROR_BITS  # not 0: py4j would make a small number no LONG
        failed, passed = (self.java.the(f"{_EXPRESSIONS}.Literal").apply(salt + each) for each in (1, 0))
        added = self.java.new(f"{_EXPRESSIONS}.If", fails, failed, passed)
        adding = self.java.new(f"{_EXPRESSIONS}.objects.InitializeJavaBean", held, self.java.map({"add": added}))
        nothing = self.java.seq([])
        boolean = self.java.the(f"{_TYPES}.BooleanType")
        counted = self.java.new(
            f"{_EXPRESSIONS}.objects.Invoke", adding, "isZero", boolean, nothing, nothing, True, True, True
        )
        # Both are always evaluated, as they would not be under IF; the tag keeps the optimiser from taking the score.
        both = self.java.new(f"{_EXPRESSIONS}.KnownNotNull", self.struct([counted, score]))
        return self.java.new(f"{_EXPRESSIONS}.GetStructField", both, 1, self.java.nothing())

    def _type_of(self, accumulator: Any) -> Any:
        return self.java.new(f"{_TYPES}.ObjectType", accumulator.getClass())
