"""The statement that makes a model's SQL function.

Open sessions keep the text of a persistent function that they have called once. So the function (`ml.delay`) never says
how the model is scored: it calls `penstock_call`, and what that stands for (`bodies`) is looked up in the tables of
models whenever a statement is analysed.
"""

from __future__ import annotations

from sqlglot import exp

from penstock.scoring.contract import Description
from penstock.scoring.declared import Function

SCHEMA = "ml"
ALIASES = f"{SCHEMA}.model_aliases"
FUNCTIONS = f"{SCHEMA}.functions"
USAGE = f"{SCHEMA}.usage"
# What Spark's analyser replaces: see `penstock.engines.predict`.
CALL, SCORE, COUNTED = "penstock_call", "penstock_score", "penstock_counted"


def function_name(name: str) -> str:
    """The full name of a function, quoted."""
    return f"{SCHEMA}.{quoted(name)}"


def function_statement(function: Function, description: Description, *, comment: str) -> str:
    """The statement that makes the function which people call.

    Args:
        function: As declared.
        description: Of the version that the alias points to; inputs after the last required one default to NULL, params
            to their defaults.
        comment: What it returns, for people.

    Raises:
        PenstockError: when the version does not give what the function returns.
    """
    last = max((i for i, each in enumerate(description.inputs) if each.required), default=-1)
    parameters = [
        f"{quoted(each.name)} {each.type}{' DEFAULT NULL' if i > last else ''}"
        f"{f' COMMENT {literal(each.comment)}' if each.comment else ''}"
        for i, each in enumerate(description.inputs)
    ]
    parameters += [f"{quoted(p.name)} {p.type} DEFAULT {default_of(p.default, p.type)}" for p in description.params]
    names = [*(each.name for each in description.inputs), *(each.name for each in description.params)]
    given = ", ".join(f"{quoted(name)} => {quoted(name)}" for name in names)
    return (
        f"CREATE OR REPLACE FUNCTION {function_name(function.name)} ({', '.join(parameters)})\n"
        f"RETURNS {function.type(description)}\nCOMMENT {literal(comment)}\n"
        f"RETURN {CALL}({literal(function.name)}, {given})"
    )


def quoted(name: str) -> str:
    """A name as an identifier of Spark's SQL."""
    return exp.to_identifier(name, quoted=True).sql("spark")


def literal(text: str) -> str:
    """A text as a literal of Spark's SQL."""
    return exp.Literal.string(text).sql("spark")


def default_of(value: object, kind: str) -> str:
    """The default of a param, as SQL of its type."""
    return f"CAST({exp.convert(value).sql('spark')} AS {kind})"
