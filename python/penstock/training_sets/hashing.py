"""A number for some values and a seed: the same on every engine, in every session, and whatever rows lie beside them.

A row is taken, put on one side or left out by comparing its number with a border, so nothing is sorted or counted, and
no row moves when others come or go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.errors import InvalidRequestError
from penstock.semantic.expressions import failure
from penstock.training_sets.sql import microseconds, not_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from penstock.semantic.request import Dialect

NUMBERS = 2**60  # fifteen hexadecimal digits, which BIGINT holds on every engine
_NOTHING = "-"  # stands for NULL; no MD5 is that short
_FIX = "cast it to a whole number or to text"
# what Spark and DuckDB call the types whose texts are the same on both
_PLAIN = "(?i)^(u?(tinyint|smallint|int|integer|bigint|hugeint)|string|varchar|boolean|date|decimal[(][0-9]+,0[)])$"
_TIME = "(?i)^timestamp"
_DECLARED = (*exp.DataType.INTEGER_TYPES, *exp.DataType.TEXT_TYPES, *exp.DataType.TEMPORAL_TYPES)


def hash_of(
    values: Sequence[exp.Expr], purpose: str, seed: int, dialect: Dialect, *, numbers: Sequence[exp.Expr] = ()
) -> exp.Expr:
    """A number from 0 to below `NUMBERS`: the first fifteen hexadecimal digits of an MD5, as BIGINT.

    The MD5 is that of `purpose:seed:` and, for each value, the MD5 of its text, or `-` where it is NULL. Each part is
    of fixed length, so ('1', '23') and ('12', '3') differ. The text of a time is its microseconds since 1970. The
    purpose keeps a sample and a split by the same columns and seed apart: else all of a sample would be on one side.

    Args:
        values: Whole numbers, texts, booleans, dates and times. Others fail when they are read: engines do not write
            them alike.
        purpose: What the number is for.
        seed: Another seed gives other numbers.
        dialect: The dialect compiled to.
        numbers: More values, which are whole numbers that are never NULL.
    """
    head: exp.Expr = exp.Literal.string(f"{purpose}:{seed}:")
    nothing = exp.Literal.string(_NOTHING)
    parts: list[exp.Expr] = [
        exp.Coalesce(this=exp.MD5(this=_text(v, dialect)), expressions=[nothing.copy()]) for v in values
    ]
    parts += [exp.MD5(this=_cast(n.copy(), "text")) for n in numbers]
    for part in parts:
        head = exp.DPipe(this=head, expression=part, safe=True)
    digits = exp.Substring(this=exp.MD5(this=head), start=exp.Literal.number(1), length=exp.Literal.number(15))
    if dialect == "duckdb":
        return _cast(exp.DPipe(this=exp.Literal.string("0x"), expression=digits, safe=True), "bigint")
    base = [exp.Literal.number(16), exp.Literal.number(10)]
    return _cast(exp.Anonymous(this="CONV", expressions=[digits, *base]), "bigint")


def border(share: Fraction) -> exp.Expr:
    """The number below which that share of all numbers lies."""
    return exp.Literal.number(share.numerator * NUMBERS // share.denominator)


def check_types(columns: Iterable[str], types: dict[str, str | None] | None, where: str) -> None:
    """Refuse columns of a declared type that engines don't write alike.

    Raises:
        InvalidRequestError: A column is of such a type.
    """
    for column in columns:
        declared = (types or {}).get(column.lower())
        if declared is None:
            continue
        try:
            kind = exp.DataType.build(declared, dialect="spark")
        except (SqlglotError, ValueError):
            continue
        scale = kind.expressions[1].name if len(kind.expressions) > 1 else "0"
        whole = kind.this == exp.DataType.Type.DECIMAL and scale == "0"
        if not (whole or kind.this in _DECLARED or kind.this == exp.DataType.Type.BOOLEAN):
            raise InvalidRequestError(
                f"'{column}' is of type {declared}, which has no stable hash",
                where=where,
                fix=_FIX,
            )


def _text(value: exp.Expr, dialect: Dialect) -> exp.Expr:
    """A value as the text that is the same on every engine; the type is looked at when the value is read."""
    refused = f"a value that is hashed is no whole number, text, boolean, date or time: {_FIX}"
    return exp.Case(
        ifs=[
            exp.If(this=_is_of(value, _TIME), true=_cast(_microseconds(value, dialect), "text")),
            exp.If(this=_is_of(value, _PLAIN), true=_cast(value.copy(), "text")),
            exp.If(this=not_null(value), true=failure(refused, dialect)),
        ]
    )


def _microseconds(value: exp.Expr, dialect: Dialect) -> exp.Expr:
    """The microseconds of a time, in SQL that is well typed for values of every type."""
    if dialect == "duckdb":
        zoned = exp.EQ(this=_type_of(value), expression=exp.Literal.string("TIMESTAMP WITH TIME ZONE"))
        zone = exp.Case(ifs=[exp.If(this=zoned, true=exp.Literal.string(""))], default=exp.Literal.string("+00"))
        text = exp.DPipe(this=_cast(value.copy(), "text"), expression=zone, safe=True)
        # a type that is written as it stands: elsewhere times with a zone are compared as those without
        instant = exp.DataType(this=exp.DataType.Type.USERDEFINED, kind="TIMESTAMPTZ")
        return microseconds(exp.TryCast(this=text, to=instant), dialect)
    # By way of its text a time would lose the hour that is there twice when clocks are set back.
    taken = [_cast(value.copy(), "variant"), exp.Literal.string("$"), exp.Literal.string("timestamp")]
    return microseconds(exp.Anonymous(this="TRY_VARIANT_GET", expressions=taken), dialect)


def _is_of(value: exp.Expr, types: str) -> exp.Expr:
    return exp.RegexpLike(this=_type_of(value), expression=exp.Literal.string(types))


def _type_of(value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="TYPEOF", expressions=[value.copy()])


def _cast(value: exp.Expr, kind: str) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build(kind))
