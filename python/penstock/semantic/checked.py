"""Pass: what a request may not be whatever the project defines: of the wrong types, or of an absurd size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError

if TYPE_CHECKING:
    from penstock.semantic.request import MetricRequest

# Far above what a person or a tool asks for, and far below what a parser or an engine breaks at.
_MOST_ITEMS = 1_000
_MOST_SETS = 100
_LONGEST_TEXT = 20_000
_MOST_ROWS = 2**31 - 1  # Spark's LIMIT is an INT

_LISTS = ("metrics", "group_by", "where", "order_by")
_TEXTS = ("name", "alias", "grain", "date_part")


def checked(request: MetricRequest) -> MetricRequest:
    """The request itself, if its parts are of the right types and of a size that can be answered.

    Raises:
        InvalidRequestError: They are not.
    """
    for part in _LISTS:
        _list(part, getattr(request, part))
    _list("subtotals", request.subtotals, most=_MOST_SETS)
    for kept in request.subtotals:
        _list("subtotals", kept)
    if request.known_at is not None:
        _text("known_at", request.known_at)
    if request.saved_query is not None:
        _text("saved_query", request.saved_query)
    if request.time_constraint is not None:
        _list("time_constraint", request.time_constraint)
        if len(request.time_constraint) != 2:
            raise InvalidRequestError(
                "a time constraint is two moments, the first and the last", where="time_constraint"
            )
        for moment in request.time_constraint:
            _text("time_constraint", moment)
    limit = request.limit
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit <= _MOST_ROWS):
        raise InvalidRequestError(
            f"{limit!r:.60} is no limit: it has to be a whole number from 0 to {_MOST_ROWS}, not negative",
            where="limit",
        )
    return request


def _list(part: str, values: Any, most: int = _MOST_ITEMS) -> None:
    if not isinstance(values, (tuple, list)):
        raise InvalidRequestError(
            f"{part} is a {type(values).__name__}, not a list", where=part, fix=f"{part}=({values!r:.60},)"
        )
    if len(values) > most:
        raise InvalidRequestError(
            f"{len(values)} items are too many", where=part, fix=f"ask for at most {most} at once"
        )
    for value in values:
        if isinstance(value, str):
            _text(part, value)
        elif part == "subtotals" and isinstance(value, (tuple, list)):
            continue  # a set of items, looked at by itself
        elif part == "where" or not hasattr(value, "name"):
            raise InvalidRequestError(f"{value!r:.60} is a {type(value).__name__}, not a text", where=part)
        else:
            for field in _TEXTS:
                text = getattr(value, field, None)
                if text is not None:
                    _text(part, text)
            if getattr(value, "alias", None) is not None:
                _alias(part, value.alias)


def _text(part: str, value: Any) -> None:
    if not isinstance(value, str):
        raise InvalidRequestError(f"{value!r:.60} is a {type(value).__name__}, not a text", where=part)
    if len(value) > _LONGEST_TEXT:
        raise InvalidRequestError(
            f"a text of {len(value)} characters is too long; the most is {_LONGEST_TEXT}",
            where=f"{part}: {value[:60]}…",
        )
    if "\0" in value:
        raise InvalidRequestError("a text can't hold the character NUL", where=f"{part}: {value[:60]!r}")


def _alias(part: str, alias: str) -> None:
    if not alias.strip() or not alias.isprintable():
        raise InvalidRequestError(f"{alias[:60]!r} is no name for a column", where=part, fix="leave the alias out")
