"""The statements that make a model's SQL function: a façade for callers, and the body that it stands for.

Open sessions keep the text of a persistent function that they have called once. So the façade (`ml.delay`) never says
how the model is scored: it calls `penstock_call`, which looks up the present body when a statement is analysed. A body
(`ml_bodies.delay_…`) is named by its text and never changes. Which version scores is data, read by a scalar subquery
from the alias table once a query.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from sqlglot import exp

from penstock.scoring.contract import Description, Input
from penstock.scoring.declared import Function

SCHEMA = "ml"
BODIES = f"{SCHEMA}_bodies"
ALIASES = f"{SCHEMA}.model_aliases"
FUNCTIONS = f"{SCHEMA}.functions"
# What Spark's analyser replaces: see `penstock.engines.predict`.
CALL, SCORE = "penstock_call", "penstock_score"
_CANARY_STEPS = 10_000


@dataclass(frozen=True)
class Body:
    """How a function's rows are scored at present.

    Attributes:
        name: Its own name, in the schema of bodies.
        inputs: Those that it reads, by name.
        statement: What makes it.
    """

    name: str
    inputs: tuple[str, ...]
    statement: str


def function_name(name: str) -> str:
    """The full name of a function, quoted."""
    return f"{SCHEMA}.{quoted(name)}"


def worker_body(function: Function, description: Description) -> Body:
    """The body that hands rows to the Python workers.

    Args:
        function: As declared.
        description: Of the version that the alias points to.

    Raises:
        PenstockError: when the version does not give what the function returns.
    """
    returns = function.type(description)
    asked = {
        "function": function.name,
        "parts": list(function.parts(description)),
        "returns": returns,
        "top": function.top,
        **{key: getattr(function, key) for key in ("on_null", "on_unknown", "on_error")},
        "shadowed": bool(function.shadow),
        "params": bool(description.params),
    }
    inputs = ", ".join(f"{literal(each.name)}, {quoted(each.name)}" for each in description.inputs)
    arguments = [literal(json.dumps(asked, sort_keys=True)), _live(function, description), f"NAMED_STRUCT({inputs})"]
    if description.params:
        params = ", ".join(f"{literal(each.name)}, {quoted(each.name)}" for each in description.params)
        arguments.append(f"NAMED_STRUCT({params})")
    if function.shadow:
        arguments.append(_live_of(function, function.shadow))
    lines = ",\n  ".join(arguments)
    return body(function, description, description.inputs, returns, f"{SCORE}(\n  {lines})")


def body(
    function: Function, description: Description, inputs: tuple[Input, ...], returns: str, expression: str
) -> Body:
    """A body with this expression over some of the model's inputs, and its params."""
    taken = [*((each.name, each.type) for each in inputs), *((each.name, each.type) for each in description.params)]
    parameters = ", ".join(f"{quoted(name)} {kind}" for name, kind in taken)
    text = f"({parameters})\nRETURNS {returns}\nRETURN {expression}"
    name = f"{function.name}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    statement = f"CREATE OR REPLACE FUNCTION {BODIES}.{quoted(name)} {text}"
    return Body(name, tuple(each for each, _ in taken), statement)


def facade(function: Function, description: Description, present: Body, *, comment: str) -> str:
    """The statement that makes the function which people call.

    Args:
        function: As declared.
        description: Of the version that the alias points to; inputs after the last required one default to NULL, params
            to their defaults.
        present: The body that it stands for now.
        comment: What it returns, for people.
    """
    last = max((i for i, each in enumerate(description.inputs) if each.required), default=-1)
    parameters = [
        f"{quoted(each.name)} {each.type}{' DEFAULT NULL' if i > last else ''}"
        f"{f' COMMENT {literal(each.comment)}' if each.comment else ''}"
        for i, each in enumerate(description.inputs)
    ]
    parameters += [f"{quoted(p.name)} {p.type} DEFAULT {_value(p.default, p.type)}" for p in description.params]
    names = [*(each.name for each in description.inputs), *(each.name for each in description.params)]
    given = ", ".join(f"{quoted(name)} => {quoted(name)}" for name in names)
    return (
        f"CREATE OR REPLACE FUNCTION {function_name(function.name)} ({', '.join(parameters)})\n"
        f"RETURNS {function.type(description)}\nCOMMENT {literal(comment)}\n"
        f"RETURN {CALL}({literal(f'{function.name}/{present.name}')}, {given})"
    )


def live_sql(model: str, alias: str, as_of: str = "") -> str:
    """The scalar subquery of what an alias points to, as the text of `live.Live`; NULL where that is nothing."""
    at = f" TIMESTAMP AS OF {literal(as_of)}" if as_of else ""
    return (
        f"(SELECT MAX(CONCAT_WS('|', alias, version, engine, digest, source)) FROM {ALIASES}{at}"
        f" WHERE model = {literal(model)} AND alias = {literal(alias)})"
    )


def _live_of(function: Function, alias: str) -> str:
    return live_sql(function.model, alias, function.as_of)


def _live(function: Function, description: Description) -> str:
    usual = _live_of(function, function.alias)
    if function.canary is None:
        return usual
    canary = function.canary
    hashed = canary_hash([canary.key] if canary.key else [each.name for each in description.inputs])
    other = f"COALESCE({_live_of(function, canary.alias)}, {usual})"
    return f"IF({hashed} < {round(canary.share * _CANARY_STEPS)}, {other}, {usual})"


def canary_hash(columns: list[str]) -> str:
    """The number from 0 to 9999 by which a row is assigned, as SQL over its inputs: anybody can work it out again.

    Example:
        >>> canary_hash(["flight_id"])
        'PMOD(XXHASH64(`flight_id`), 10000)'
    """
    return f"PMOD(XXHASH64({', '.join(map(quoted, columns))}), {_CANARY_STEPS})"


def quoted(name: str) -> str:
    """A name as an identifier of Spark's SQL."""
    return exp.to_identifier(name, quoted=True).sql("spark")


def literal(text: str) -> str:
    """A text as a literal of Spark's SQL."""
    return exp.Literal.string(text).sql("spark")


def _value(value: object, kind: str) -> str:
    if value is None:
        return "NULL"
    plain = exp.convert(value).sql("spark")
    return f"CAST({plain} AS {kind})"
