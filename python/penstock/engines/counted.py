"""Rows that a plan scores by itself, counted by the plan: a version that is SQL, or Spark ML, has no worker to count.

The expression adds to an accumulator of Spark's and gives the score. This is internal API of Spark 4.2.
"""

from __future__ import annotations

import json
from typing import Any

from penstock.engines.builders import Builder, text_in
from penstock.engines.objects import EXPRESSIONS, given_by, held
from penstock.engines.usage import ERROR_BITS, ledger
from penstock.errors import InvalidRequestError
from penstock.scoring.functions import COUNTED
from penstock.scoring.usage import Use

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
        added = self.java.new(f"{EXPRESSIONS}.If", fails, failed, passed)
        counted = given_by(self.java, held(self.java, accumulator, {"add": added}), "isZero", "BooleanType")
        # Both are always evaluated, as they would not be under IF; the tag keeps the optimiser from taking the score.
        both = self.java.new(f"{EXPRESSIONS}.KnownNotNull", self.struct([counted, score]))
        return self.java.new(f"{EXPRESSIONS}.GetStructField", both, 1, self.java.nothing())

    def _whole(self, value: int) -> Any:
        """A LONG that does not stand in the code that Spark generates, which then is the same for each statement."""
        whole = self.java.call("java.math.BigInteger", "valueOf", value)
        return given_by(self.java, held(self.java, whole), "longValue", "LongType")
