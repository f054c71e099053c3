"""`predict('model', …)`: which argument of a call is which input of the model.

A call stands for a call of the model's own SQL function with every argument named. Spark asks when it analyses a
statement (see `penstock.engines.predict`), so `predict` means the same in each session, view and client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType

from penstock.errors import InvalidRequestError, UnknownNameError, nearest


@dataclass(frozen=True)
class Parameter:
    """One input of a model's SQL function: its name, its SQL type, and whether a call may leave it out."""

    name: str
    type: str
    optional: bool


@dataclass(frozen=True)
class Argument:
    """One argument of a call.

    Attributes:
        name: The input that it is named for (`name => …`); None when it stands by position.
        column: The column's name where it is nothing but a column.
        type: Its SQL type.
    """

    name: str | None
    column: str | None
    type: str


def place_arguments(
    model: str, parameters: Sequence[Parameter], arguments: Sequence[Argument], *, star: bool
) -> dict[str, int]:
    """The position of the argument for each input that is given; Spark's rules, and two more against silent mistakes.

    With a star each input comes from the column of its name, and other columns are left alone. Without one, a column
    that has the name of another input than the one at its place is refused: it is most often in the wrong order.

    Args:
        model: The registered name.
        parameters: The model's inputs in order.
        arguments: What follows the model's name in the call; a star stands as the columns that it gave.
        star: Whether the call is `predict('model', *)` or `predict('model', t.*)`.

    Raises:
        UnknownNameError: when an argument is named for no input.
        InvalidRequestError: when an input is missing, given twice, ambiguous or in doubt, or there are too many.

    Example:
        >>> inputs = [Parameter("a", "DOUBLE", False), Parameter("b", "DOUBLE", True)]
        >>> place_arguments("m", inputs, [Argument("b", None, "INT"), Argument("a", "x", "INT")], star=False)
        {'b': 0, 'a': 1}
    """
    where = signature(model, parameters)
    placed = _by_column(model, parameters, arguments, where) if star else _as_written(parameters, arguments, where)
    missing = [p.name for p in parameters if not p.optional and p.name not in placed]
    if missing:
        raise InvalidRequestError(
            f"predict('{model}', …) lacks {', '.join(missing)}", where=where, fix=f"{missing[0]} => …"
        )
    return placed


def signature(model: str, parameters: Sequence[Parameter]) -> str:
    """The model's inputs as people write them: `model(a DOUBLE, b STRING = NULL)`."""
    inputs = (f"{p.name} {p.type}{' = NULL' if p.optional else ''}" for p in parameters)
    return f"{model}({', '.join(inputs)})"


def wrong_type(model: str, parameters: Sequence[Parameter], parameter: Parameter, given: str) -> InvalidRequestError:
    """The error of an argument whose values would be changed or lost on their way into the input."""
    return InvalidRequestError(
        f"input '{parameter.name}' of predict('{model}', …) is {parameter.type}, and {given} was given",
        where=signature(model, parameters),
        fix=f"CAST(… AS {parameter.type}), if that keeps what it means",
    )


def has_star(call: str) -> bool:
    """Whether one of the call's own arguments is `*` or `t.*`.

    Example:
        >>> has_star("predict('m', t.*)"), has_star("predict('m', a * 2, f(*))")
        (True, False)
    """
    depth = 0
    tokens = sqlglot.tokenize(call, dialect="spark")
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(before.token_type, 0)
        is_star = (
            token.token_type == TokenType.STAR
            and before.token_type in {TokenType.L_PAREN, TokenType.COMMA, TokenType.DOT}
            and after.token_type in {TokenType.R_PAREN, TokenType.COMMA}
        )
        if is_star and depth == 1:
            return True
    return False


def _by_column(
    model: str, parameters: Sequence[Parameter], arguments: Sequence[Argument], where: str
) -> dict[str, int]:
    if any(each.column is None or each.name for each in arguments):
        raise InvalidRequestError(
            "a star stands alone in predict()", where=where, fix=f"predict('{model}', *), or name => … for each input"
        )
    columns = [str(each.column).lower() for each in arguments]
    times = Counter(columns)
    placed = {}
    for parameter in parameters:
        name = parameter.name.lower()
        if times[name] > 1:
            raise InvalidRequestError(
                f"the star gives {times[name]} columns '{parameter.name}'", where=where, fix="t.* of one table"
            )
        if not times[name]:
            # Also where the input may be left out: a column that was forgotten is no missing value.
            raise InvalidRequestError(
                f"the star gives no column '{parameter.name}'",
                where=where,
                near=nearest(parameter.name, [str(each.column) for each in arguments]),
                fix="give that column its input's name, or write name => … for each input",
            )
        placed[parameter.name] = columns.index(name)
    return placed


def _as_written(parameters: Sequence[Parameter], arguments: Sequence[Argument], where: str) -> dict[str, int]:
    by_name = {p.name.lower(): p.name for p in parameters}
    if len(arguments) > len(parameters):
        raise InvalidRequestError(
            f"{len(arguments)} arguments are given, {len(parameters)} are taken",
            where=where,
            fix="name => value for each input",
        )
    placed: dict[str, int] = {}
    for position, argument in enumerate(arguments):
        name = argument.name
        if name is None:
            name = _by_position(parameters[position].name, argument, by_name, where)
        elif name.lower() not in by_name:
            raise UnknownNameError.of("input", name, by_name.values(), where=where)
        if by_name[name.lower()] in placed:
            raise InvalidRequestError(f"input '{name}' is given twice", where=where)
        placed[by_name[name.lower()]] = position
    return placed


def _by_position(parameter: str, argument: Argument, by_name: dict[str, str], where: str) -> str:
    column = (argument.column or "").lower()
    if column in by_name and column != parameter.lower():
        raise InvalidRequestError(
            f"column '{argument.column}' stands in the place of input '{parameter}', and is the name of another input",
            where=where,
            fix=f"{by_name[column]} => {argument.column}, or, if it is meant, {parameter} => {argument.column}",
        )
    return parameter
