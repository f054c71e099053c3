"""What a call of a model's function stands for: one SQL expression over its arguments, by the versions that are live.

A linear model is its formula in SQL, and costs little more than the scan. Any other is a call of the Python workers.
The versions are literals in either, so that a statement uses those that were live when it was analysed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlglot import exp

from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.scoring.contract import Description
from penstock.scoring.declared import Function
from penstock.scoring.functions import COUNTED, SCORE, literal
from penstock.scoring.linear.average import average_from_aggregates
from penstock.scoring.linear.formula import Formula
from penstock.scoring.linear.sql import Arguments, score_expression
from penstock.scoring.live import Held
from penstock.scoring.returns import ERROR, PROBABILITY, VARIANT, VERSION
from penstock.scoring.spark_ml.body import score_in_plan
from penstock.scoring.spark_ml.opened import SPARK_ML
from penstock.scoring.usage import NOBODY, Asker, Use

_CANARY_STEPS = 10_000
# What the SQL of a formula gives beside the score itself.
_IN_SQL = {PROBABILITY, VERSION, VARIANT, ERROR}
_NO_NUMBER = "the model gave NaN"


def body(
    function: Function,
    held: Mapping[str, Held],
    given: Collection[str] | Mapping[str, exp.Expr],
    asker: Asker = NOBODY,
) -> str:
    """The expression, as text of Spark's SQL; each argument stands as the column of the name under which it is given.

    Args:
        function: As declared.
        held: What each alias points to that the function names.
        given: The inputs and params for which there is an argument; another is NULL, or the param's default. A mapping
            says what stands in the place of each name's column.
        asker: Who asks, for the figures that workers count.

    Raises:
        PenstockError: when the alias points to no version, or the version does not give what the function returns.
    """
    usual = held.get(function.alias)
    if usual is None:
        raise InvalidRequestError(
            f"model '{function.model}' has no version under the alias '{function.alias}'",
            where=function.where,
            fix="train or promote one",
        )
    canary = held.get(function.canary.alias) if function.canary else None
    arguments = _arguments(usual.description, given)
    versions = [usual, *([canary] if canary else [])]
    if all(_is_in_plan(function, each) for each in versions):
        scores = [_in_plan(function, each, arguments, asker) for each in versions]
        text = scores[0] if canary is None else f"IF({_chosen(function, usual, arguments)}, {scores[1]}, {scores[0]})"
        return f"CAST({text} AS {function.type(usual.description)})"
    if any(each.live.engine == SPARK_ML for each in versions):
        raise InvalidDefinitionError(
            "a canary of a Spark ML model and one that the workers score cannot be had",
            where=function.where,
            fix="a function of each alias, and IF(…) in the query",
        )
    return _workers(function, versions, held.get(function.shadow), arguments, asker)


def average(function: Function, held: Mapping[str, Held], given: Collection[str]) -> str | None:
    """The average of a function's scores over a group, from aggregates of its inputs, as text of Spark's SQL.

    Args:
        function: As declared.
        held: As for `body`.
        given: As for `body`.

    Returns:
        A sum of aggregates; None where the average does not follow from any.
    """
    usual = held.get(function.alias)
    if usual is None or usual.formula is None or function.canary or function.on_null != "model":
        return None
    formula, description = usual.formula, usual.description
    if not _is_sql(function, usual) or function.parts(description) != (description.fields[0].name,):
        return None
    if formula.link != "identity":
        return None
    arguments = _arguments(description, given)
    refusal = _refusal(function) if function.on_error == "fail" else ""
    return average_from_aggregates(formula, arguments, "spark", refusal=refusal).sql("spark")


def canary_hash(values: list[str]) -> str:
    """The number from 0 to 9999 by which a row is assigned, as SQL: anybody can work it out again.

    Example:
        >>> canary_hash(["flight_id"])
        'PMOD(XXHASH64(flight_id), 10000)'
    """
    return f"PMOD(XXHASH64({', '.join(values)}), {_CANARY_STEPS})"


def _arguments(description: Description, given: Collection[str] | Mapping[str, exp.Expr]) -> dict[str, exp.Expression]:
    """The value of each input and param, in its own type; a version may spell their names in other cases."""
    values: Mapping[str, exp.Expr] = given if isinstance(given, Mapping) else {}
    columns = {each.lower(): values.get(each, exp.column(each, quoted=True)) for each in given}
    taken: list[tuple[str, str, exp.Expr]] = [(each.name, each.type, exp.null()) for each in description.inputs]
    taken += [(each.name, each.type, exp.convert(each.default)) for each in description.params]
    return {name: exp.cast(columns.get(name.lower(), lacking), kind, dialect="spark") for name, kind, lacking in taken}


def _chosen(function: Function, usual: Held, arguments: Arguments) -> str:
    """Whether a row goes to the canary."""
    canary = function.canary
    assert canary is not None
    keys = [each.name for each in usual.description.inputs]
    if canary.key:
        keys = [name for name in keys if name.lower() == canary.key.lower()]
    hashed = canary_hash([arguments[name].sql("spark") for name in keys])
    return f"{hashed} < {round(canary.share * _CANARY_STEPS)}"


def _is_in_plan(function: Function, held: Held) -> bool:
    return held.live.engine == SPARK_ML or _is_sql(function, held)


def _in_plan(function: Function, held: Held, arguments: Arguments, asker: Asker) -> str:
    """What a version gives, and whether that failed, for the plan to count as it goes."""
    if held.live.engine == SPARK_ML:
        score, fails = score_in_plan(function, held, arguments), "FALSE"
    else:
        score, fails = _formula(function, held, arguments)
    use = Use(function.model, held.live.version, function.name, held.live.engine, asker.user, asker.node)
    return f"{COUNTED}({literal(json.dumps(use))}, {fails}, {score})"


def _is_sql(function: Function, held: Held) -> bool:
    formula, description = held.formula, held.description
    if formula is None or description.params or function.shadow:
        return False
    if function.on_null == "error" or function.on_unknown != "model":
        return False
    if formula.link == "softmax" or len(formula.intercepts) > 1:
        return False
    if function.on_error == "skip" and any(each.unknown is None for each in formula.levels):
        return False
    given = _IN_SQL if formula.classes else (_IN_SQL | {description.fields[0].name}) - {PROBABILITY}
    return set(function.parts(description)) <= given


def _formula(function: Function, held: Held, arguments: Arguments) -> tuple[str, str]:
    """The score as SQL, and whether it failed."""
    formula: Formula | None = held.formula
    assert formula is not None
    score = score_expression(formula, arguments, "spark").sql("spark")
    fails = f"{score} IS NULL" if formula.refuses_missing else "FALSE"
    if function.on_null == "skip":
        whole = " AND ".join(f"{arguments[each.name].sql('spark')} IS NOT NULL" for each in held.description.inputs)
        fails = f"{whole} AND {fails}"
    value = score
    if formula.refuses_missing and function.on_error == "fail":
        value = f"COALESCE({score}, RAISE_ERROR({literal(_refusal(function))}))"
    if function.on_null == "skip":
        value = f"CASE WHEN {whole} THEN {value} END"
    parts = {
        VERSION: str(held.live.version),
        VARIANT: literal(held.live.alias),
        ERROR: f"CASE WHEN {fails} THEN {literal(_NO_NUMBER)} END",
    }
    names = function.parts(held.description)
    values = [parts.get(name, value) for name in names]
    if function.on_error == "fail":
        fails = "FALSE"  # such a row ends the statement, and counts nothing
    if len(names) == 1:
        return values[0], fails
    pairs = ", ".join(f"{literal(name)}, {each}" for name, each in zip(names, values, strict=True))
    return f"NAMED_STRUCT({pairs})", fails


def _refusal(function: Function) -> str:
    fix = "mend the rows, or declare on_null: skip, or on_error: skip"
    return f"{function.name} cannot score a row: {_NO_NUMBER}\n  fix: {fix}"


def _workers(function: Function, versions: list[Held], shadow: Held | None, arguments: Arguments, asker: Asker) -> str:
    """A call of the Python workers: what is the same for all rows as JSON, then the columns."""
    description = versions[0].description
    scoring = [*versions, *([shadow] if shadow else [])]
    read = {name.lower() for each in scoring for name in function.reads(each.description, each.used)}
    if function.shadow and shadow is None:
        raise InvalidRequestError(
            f"model '{function.model}' has no version under the alias '{function.shadow}'",
            where=function.where,
            fix="promote one, or leave the shadow out",
        )
    asked: dict[str, Any] = {
        "function": function.name,
        "model": function.model,
        "user": asker.user,
        "node": asker.node,
        "parts": list(function.parts(description)),
        "returns": function.type(description),
        "top": function.top,
        **{key: getattr(function, key) for key in ("on_null", "on_unknown", "on_error")},
        "versions": [str(each.live) for each in versions],
        "shadow": str(shadow.live) if shadow else "",
        # A constant model gets one too, which tells how many rows there are.
        "inputs": [each.name for each in description.inputs if each.name.lower() in read]
        or [description.inputs[0].name],
        "params": [each.name for each in description.params],
    }
    which = [f"IF({_chosen(function, versions[0], arguments)}, 1, 0)"] if len(versions) > 1 else []
    columns = [*which, *(arguments[name].sql("spark") for name in (*asked["inputs"], *asked["params"]))]
    return f"{SCORE}({literal(json.dumps(asked, sort_keys=True))}, {', '.join(columns)})"
