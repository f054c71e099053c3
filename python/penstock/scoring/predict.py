"""`predict('model', …)` in a statement, rewritten to the model's own SQL function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import sqlglot
from sqlglot import Token, TokenType, exp

from penstock.errors import InvalidRequestError
from penstock.scoring.functions import SCHEMA

InputsOf = Callable[[str], Sequence[str]]


# sqlglot reads PREDICT( as another engine's PREDICT(MODEL …), so the word is replaced before parsing.
_STAND_IN = "penstock_predict"


def mentions_predict(sql: str) -> bool:
    """Whether `predict(` stands in the text outside strings and comments; False where the text has no tokens."""
    try:
        return bool(_predict_words(sql))
    except sqlglot.errors.TokenError:
        return False


def _predict_words(sql: str) -> list[Token]:
    tokens = sqlglot.tokenize(sql, dialect="spark")
    return [
        word
        for word, bracket in pairwise(tokens)
        if word.text.lower() == "predict" and word.token_type == TokenType.VAR and bracket.text == "("
    ]


def parse_statement(sql: str) -> exp.Expr:
    """Parse one Spark statement in which `predict(…)` may stand.

    Raises:
        InvalidRequestError: when the text is not one statement of Spark SQL.
    """
    try:
        for word in reversed(_predict_words(sql)):
            sql = sql[: word.start] + _STAND_IN + sql[word.end + 1 :]
        statements = sqlglot.parse(sql, dialect="spark")
    except sqlglot.errors.SqlglotError as error:
        raise InvalidRequestError(f"this is not Spark SQL: {error}", where=sql) from error
    if len(statements) != 1 or statements[0] is None:
        raise InvalidRequestError(f"one statement is needed, {len(statements)} were given", where=sql)
    return statements[0]


def rewrite_predict(statement: exp.Expr, inputs_of: InputsOf) -> exp.Expr:
    """Replace every `predict('model', arguments…)` by a call of `ml.model(…)`.

    Arguments stand by position, by name (`dep_hour => 7`), or as `*` / `t.*`, which takes each input from the column
    of its name.

    Args:
        statement: A parsed statement (Spark dialect); it is changed in place.
        inputs_of: Gives a model's input names in order; raises a `PenstockError` for a model that is not there.

    Raises:
        InvalidRequestError: when the model's name is not a literal, or there are too many arguments.

    Example:
        >>> tree = parse_statement("SELECT predict('m', f.*) FROM f")
        >>> rewrite_predict(tree, lambda model: ["a", "b"]).sql("spark")
        'SELECT ml.`m`(`a` => f.`a`, `b` => f.`b`) FROM f'
    """
    for call in list(statement.find_all(exp.Anonymous)):
        if call.name == _STAND_IN:
            call.replace(_call(call, inputs_of))
    return statement


def _call(call: exp.Anonymous, inputs_of: InputsOf) -> exp.Expr:
    model, *arguments = call.expressions or [None]
    if not (isinstance(model, exp.Literal) and model.is_string):
        raise InvalidRequestError(
            "predict() needs the model's name as a text literal first",
            where=_as_written(call),
            fix="predict('model_name', argument, …)",
        )
    inputs = list(inputs_of(model.name))
    if len(arguments) == 1 and arguments[0].is_star:
        star = arguments[0]
        table = star.args.get("table") if isinstance(star, exp.Column) else None
        arguments = [
            exp.Kwarg(
                this=exp.to_identifier(name, quoted=True),
                expression=exp.column(exp.to_identifier(name, quoted=True), table=table.copy() if table else None),
            )
            for name in inputs
        ]
    elif len(arguments) > len(inputs):
        raise InvalidRequestError(
            f"predict('{model.name}', …) was given {len(arguments)} arguments and takes {len(inputs)}",
            where=_as_written(call),
            fix=f"its inputs are {', '.join(inputs)}",
        )
    function = exp.Anonymous(this=exp.to_identifier(model.name, quoted=True), expressions=arguments)
    return exp.Dot(this=exp.to_identifier(SCHEMA), expression=function)


def _as_written(call: exp.Expr) -> str:
    return call.sql("spark").replace(_STAND_IN.upper(), "predict")
