"""The body of a function whose version is a pipeline of Spark ML."""

from __future__ import annotations

import json
from typing import Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.declared import Function
from penstock.scoring.functions import literal
from penstock.scoring.linear.sql import Arguments
from penstock.scoring.live import Held
from penstock.scoring.returns import BASE, CONTRIBUTIONS

# What Spark's analyser replaces: see `penstock.engines.spark_ml`.
SCORE_IN_PLAN = "penstock_score_in_plan"


def score_in_plan(function: Function, held: Held, arguments: Arguments) -> str:
    """The text of what the pipeline's own expressions replace.

    Args:
        function: As declared.
        held: The version.
        arguments: The value of each input.

    Raises:
        InvalidDefinitionError: when the function is declared to do what an expression cannot.
    """
    check(function)
    asked: dict[str, Any] = {
        "function": function.name,
        "parts": list(function.parts(held.description)),
        "top": function.top,
        "on_null": function.on_null,
        "inputs": [each.name for each in held.description.inputs],
    }
    told = [literal(json.dumps(asked, sort_keys=True)), literal(str(held.live))]
    return f"{SCORE_IN_PLAN}({', '.join([*told, *(arguments[each].sql('spark') for each in asked['inputs'])])})"


def check(function: Function) -> None:
    """Refuse what cannot be declared of a Spark ML version.

    Raises:
        InvalidDefinitionError: when the function is declared to do what an expression cannot.
    """
    if function.on_error == "skip":
        raise InvalidDefinitionError(
            "on_error: skip cannot be had of a Spark ML model: it is scored by Spark's own expressions, and an error in"
            " one ends the query",
            where=function.where,
            fix="on_null: skip, and handleInvalid='keep' in the pipeline's stages",
        )
    unknown = [part for part in (BASE, CONTRIBUTIONS) if part in function.returns]
    if unknown:
        raise InvalidDefinitionError(
            f"'{unknown[0]}' cannot be had of a Spark ML model", where=function.where, fix="leave it out of returns"
        )
    if function.shadow:
        raise InvalidDefinitionError(
            "a shadow cannot be had of a Spark ML model",
            where=function.where,
            fix="a function of each alias, both in the query",
        )
