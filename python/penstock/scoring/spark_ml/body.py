"""The body of a function whose version is a pipeline of Spark ML."""

from __future__ import annotations

import json

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Description
from penstock.scoring.declared import Function
from penstock.scoring.functions import Body, body, literal, quoted
from penstock.scoring.live import Live
from penstock.scoring.returns import BASE, CONTRIBUTIONS

# What Spark's analyser replaces: see `penstock.engines.spark_ml`.
SCORE_IN_PLAN = "penstock_score_in_plan"


def plan_body(function: Function, description: Description, live: Live) -> Body:
    """The body that the pipeline's own expressions replace.

    Args:
        function: As declared.
        description: Of the version.
        live: The version.

    Raises:
        PenstockError: when the version does not give what the function returns, or the function is declared to do what
            an expression cannot.
    """
    check(function)
    returns = function.type(description)
    asked = {
        "function": function.name,
        "parts": list(function.parts(description)),
        "top": function.top,
        "on_null": function.on_null,
        "inputs": [each.name for each in description.inputs],
    }
    arguments = [literal(json.dumps(asked, sort_keys=True)), literal(str(live))]
    lines = ",\n  ".join([*arguments, *(quoted(each.name) for each in description.inputs)])
    return body(function, description, description.inputs, returns, f"{SCORE_IN_PLAN}(\n  {lines})")


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
    if function.canary or function.shadow or function.as_of:
        raise InvalidDefinitionError(
            "canary, shadow and as_of cannot be had of a Spark ML model",
            where=function.where,
            fix="a function of each alias, and IF(…) in the query",
        )
