"""One persistent SQL function a model, generated from its MLflow signature.

Its body never changes when the champion moves, because open sessions keep old bodies: the version is data, read by a
scalar subquery from the alias table, once a query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.scoring.dispatchers import SCORE_DOUBLE

SCHEMA = "ml"
ALIASES = f"{SCHEMA}.model_aliases"

# MLflow's column types as Spark's.
_SQL_TYPES = {
    "boolean": "BOOLEAN",
    "integer": "INT",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "STRING",
    "binary": "BINARY",
    "datetime": "TIMESTAMP",
}


@dataclass(frozen=True)
class Input:
    """One argument of a model: its name, its MLflow type, whether a NULL was never seen in training, what it means."""

    name: str
    type: str
    required: bool
    comment: str = ""


def function_name(model: str) -> str:
    """The full name of a model's SQL function, quoted."""
    return f"{SCHEMA}.{_identifier(model)}"


def create_function(model: str, inputs: tuple[Input, ...], *, comment: str) -> str:
    """The statement that makes the SQL function of `model`.

    Args:
        model: The registered name.
        inputs: The model's inputs in the order of its signature; those after the last required one default to NULL.
        comment: What the function returns, for people.

    Raises:
        InvalidDefinitionError: when the name is none that a function can have, or an input has a type that SQL has no
            column type for.
    """
    if not re.fullmatch(r"\w+", model, re.ASCII):
        raise InvalidDefinitionError(
            f"'{model}' cannot be the name of a SQL function",
            where=f"model {model}",
            fix="register the model under a name of letters, digits and underscores",
        )
    last_required = max((i for i, each in enumerate(inputs) if each.required), default=-1)
    parameters = ", ".join(
        f"{_identifier(each.name)} {_sql_type(model, each)}{' DEFAULT NULL' if i > last_required else ''}"
        f"{f' COMMENT {_literal(each.comment)}' if each.comment else ''}"
        for i, each in enumerate(inputs)
    )
    fields = ", ".join(f"{_literal(each.name)}, {_identifier(model)}.{_identifier(each.name)}" for each in inputs)
    return (
        f"CREATE OR REPLACE FUNCTION {function_name(model)} ({parameters})\n"
        f"RETURNS DOUBLE\nCOMMENT {_literal(comment)}\n"
        f"RETURN {SCORE_DOUBLE}(\n"
        f"  (SELECT MAX(source) FROM {ALIASES} WHERE model = {_literal(model)} AND alias = 'champion'),\n"
        f"  NAMED_STRUCT({fields}))"
    )


def _sql_type(model: str, each: Input) -> str:
    if each.type not in _SQL_TYPES:
        raise InvalidDefinitionError(
            f"input '{each.name}' is of MLflow type {each.type}, which a SQL argument cannot be",
            where=f"model {model}",
            fix=f"log the model with one of {', '.join(_SQL_TYPES)}",
        )
    return _SQL_TYPES[each.type]


def _identifier(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("spark")


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql("spark")
