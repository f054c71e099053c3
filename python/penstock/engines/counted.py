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
        # What adds to it has to differ between calls, or one that stands beside another is left out as the same.
        salt = (score.semanticHash() & _SALT) << ERROR_BITS
        failed, passed = (self._whole(salt + error) for error in (1, 0))
        added = self.java.new(f"{_EXPRESSIONS}.If", fails, failed, passed)
        counted = self._of_object(self._held(accumulator, {"add": added}), "isZero", "BooleanType")
        # Both are always evaluated, as they would not be under IF; the tag keeps the optimiser from taking the score.
        both = self.java.new(f"{_EXPRESSIONS}.KnownNotNull", self.struct([counted, score]))
        return self.java.new(f"{_EXPRESSIONS}.GetStructField", both, 1, self.java.nothing())

    def _whole(self, value: int) -> Any:
        """A LONG that is an object of its own, to which the code that Spark generates refers.

        A literal would stand in that code as a number, and Spark compile it for each statement anew.
        """
        return self._of_object(
            self._held(self.java.call("java.math.BigInteger", "valueOf", value), {}), "longValue", "LongType"
        )

    def _held(self, value: Any, setters: dict[str, Any]) -> Any:
        """An object, of which methods are called with the values of expressions."""
        kind = self.java.new(f"{_TYPES}.ObjectType", value.getClass())
        held = self.java.new(f"{_EXPRESSIONS}.Literal", value, kind)
        return self.java.new(f"{_EXPRESSIONS}.objects.InitializeJavaBean", held, self.java.map(setters))

    def _of_object(self, held: Any, method: str, kind: str) -> Any:
        nothing = self.java.seq([])
        gives = self.java.the(f"{_TYPES}.{kind}")
        return self.java.new(f"{_EXPRESSIONS}.objects.Invoke", held, method, gives, nothing, nothing, True, True, True)
