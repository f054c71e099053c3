"""What a request says of splits and samples, checked: seeds, shares, instants, names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from penstock.errors import InvalidRequestError

Share = float | str | Decimal
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(value: Any, argument: str, where: str) -> str:
    """A text that is not empty.

    Raises:
        InvalidRequestError: It is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequestError(f"{argument} must be a text, not {value!r}", where=where, fix=f"{argument}: '…'")
    return value


def texts_of(value: Any, argument: str, where: str) -> tuple[str, ...]:
    """A list of at least one text.

    Raises:
        InvalidRequestError: It is none.
    """
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(v, str) and v.strip() for v in value):
        raise InvalidRequestError(
            f"{argument} must be a list of at least one text, not {value!r}", where=where, fix=f"{argument}: ['…']"
        )
    return tuple(value)


def name_of(value: Any, where: str) -> str:
    """The name of a new column.

    Raises:
        InvalidRequestError: It is none.
    """
    if not isinstance(value, str) or not _NAME.match(value):
        raise InvalidRequestError(
            f"{value!r} is no name of a column", where=where, fix="use letters, digits and underscores"
        )
    return value


def whole_number(value: Any, argument: str, where: str, *, least: int | None = None, most: int | None = None) -> int:
    """A whole number within bounds.

    Raises:
        InvalidRequestError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(
            f"{argument} must be a whole number, not {value!r}", where=where, fix=f"{argument}: {least or 7}"
        )
    if (least is not None and value < least) or (most is not None and value > most):
        raise InvalidRequestError(f"{argument} is {value}", where=where, fix=f"give a number from {least} to {most}")
    return value


def number_of(value: Any, argument: str, where: str) -> Fraction:
    """A number exactly as it is written: 0.1 is a tenth, and not the double that comes nearest to it.

    Raises:
        InvalidRequestError: It is none.

    Example:
        >>> number_of(0.1, "share", "sample") == number_of("0.1", "share", "sample") == Fraction(1, 10)
        True
    """
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
            raise InvalidOperation
        number = Decimal(str(value))
        if not number.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise InvalidRequestError(
            f"{argument} must be a number, not {value!r}", where=where, fix=f"{argument}: 0.1"
        ) from None
    return Fraction(number)


def share_of(value: Any, argument: str, where: str) -> Fraction:
    """A share of a whole, above 0 and at most 1.

    Raises:
        InvalidRequestError: It is none.
    """
    share = number_of(value, argument, where)
    if not 0 < share <= 1:
        raise InvalidRequestError(f"{argument} is {value}", where=where, fix="give a number above 0 and at most 1")
    return share


def shares_of(value: Any, where: str) -> dict[str, Fraction]:
    """The shares into which a whole is cut, in the order given.

    Raises:
        InvalidRequestError: They are fewer than two, or do not add up to 1.
    """
    example = "shares: {'train': 0.8, 'test': 0.2}"
    if not isinstance(value, Mapping) or len(value) < 2:
        raise InvalidRequestError(
            f"shares must be a mapping of at least two names to their shares, not {value!r}", where=where, fix=example
        )
    shares = {
        text_of(name, "a name of a share", where): share_of(s, f"the share of '{name}'", where)
        for name, s in value.items()
    }
    if sum(shares.values()) != 1:
        total = " + ".join(str(s) for s in value.values())
        raise InvalidRequestError(f"the shares do not add up to 1: {total}", where=where, fix=example)
    return shares


def instant_of(value: Any, argument: str, where: str) -> int:
    """A date or time, UTC where it has no zone, as microseconds since 1970.

    Raises:
        InvalidRequestError: It is none.

    Example:
        >>> instant_of("1970-01-02", "test_from", "split") == instant_of("1970-01-02 01:00+01:00", "test_from", "split")
        True
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise InvalidRequestError(
            f"{argument} must be a date or a time, not {value!r}", where=where, fix=f"{argument}: '2013-11-01 06:00'"
        )
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _ZERO) // timedelta(microseconds=1)
