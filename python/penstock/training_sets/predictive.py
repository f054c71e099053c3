"""Predictive queries: what to predict, how far ahead and for whom, in one sentence.

    PREDICT count(flights where is_late) OVER NEXT 7 days SETTLED AFTER 1 day
    FOR carrier AT every 1 day from 2013-02-01 to 2013-11-30
    GIVEN carrier.on_time_rate over 7 days, carrier.flights to date

What is predicted is a metric, or an aggregate over a semantic model's rows. Here the sentence is read; `predict` makes
a request of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.durations import Duration, parse_duration
from penstock.semantic.time_range import moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping

AGGREGATES = ("count", "exists", "sum", "avg", "min", "max", "count_distinct")

_FORM = (
    "PREDICT count(flights where is_late) OVER NEXT 7 days SETTLED AFTER 1 day FOR carrier "
    "AT every 1 day from 2013-02-01 to 2013-11-30 GIVEN carrier.flights over 7 days, …; SETTLED AFTER and GIVEN may be "
    "left out, and AT may be followed by table.column, or by a column of the spine"
)
_NAME = r"[A-Za-z_]\w*"
_REST = re.compile(
    rf"\s*(?:as\s+(?P<name>{_NAME})\s+)?over\s+next\s+(?P<horizon>\S+\s+\S+)"
    r"(?:\s+settled\s+after\s+(?P<settled>\S+\s+\S+))?"
    rf"\s+for\s+(?P<entities>{_NAME}(?:\s+(?!at\s){_NAME})?(?:\s*,\s*{_NAME}(?:\s+(?!at\s){_NAME})?)*)"
    r"\s+at\s+(?P<at>.+?)(?:\s+given\s+(?P<given>.+))?",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
_GRID = re.compile(
    r"every\s+(?P<step>\S+\s+\S+)\s+from\s+(?P<first>.+?)\s+to\s+(?P<last>.+)", re.IGNORECASE | re.DOTALL
)
_COLUMN = re.compile(r"(?:(?P<relation>\S+)\.)?(?P<column>[^\s.]+)")
_ROWS = re.compile(
    rf"\s*(?P<model>{_NAME})(?:\.(?P<column>{_NAME}))?(?:\s+where\s+(?P<where>.+))?\s*",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)


@dataclass(frozen=True)
class Rows:
    """An aggregate over rows: `count(flights where is_late)`, `sum(flights.distance)`.

    Args:
        agg: One of `AGGREGATES`.
        model: The semantic model.
        column: The column or dimension that is aggregated; None where rows are counted.
        where: A condition on the rows, as SQL over the model's columns and dimensions.
    """

    agg: str
    model: str
    column: str | None
    where: str | None


@dataclass(frozen=True)
class Grid:
    """Times at equal steps, the first and the last as ISO texts."""

    step: Duration
    first: str
    last: str


@dataclass(frozen=True)
class Times:
    """The times of a relation's rows; of the spine that is given beside the query where `relation` is None."""

    relation: str | None
    column: str


@dataclass(frozen=True)
class PredictiveQuery:
    """One sentence, read.

    Args:
        text: As it was written.
        target: A metric's name, or an aggregate over rows.
        name: The label's column, where it is named.
        horizon: How far ahead.
        settled: How long after the horizon the label is final, where it is said.
        entities: For each entity its column in the relation of `at`; what is predicted is of the first.
        at: The times of predictions.
        given: Features, as texts; none for the target's own past.
    """

    text: str
    target: str | Rows
    name: str | None
    horizon: Duration
    settled: Duration | None
    entities: Mapping[str, str]
    at: Grid | Times
    given: tuple[str, ...]


def parse_predictive(text: str) -> PredictiveQuery:
    """Read a predictive query.

    Raises:
        InvalidRequestError: It is none, with the form that it has.
        UnknownNameError: Its aggregate is none.

    Example:
        >>> parse_predictive("PREDICT flights OVER NEXT 7 days FOR carrier AT spine.predict_at").target
        'flights'
    """
    begins = re.match(r"\s*predict\s+", text, re.IGNORECASE)
    if begins is None:
        raise _no_query(text, "it does not begin with PREDICT")
    target, rest = _target(text[begins.end() :], text)
    match = _REST.fullmatch(rest.rstrip())
    if match is None:
        raise _no_query(text, f"'{' '.join(rest.split())[:60]}' does not go on with OVER NEXT … FOR … AT …")
    horizon = parse_duration(match["horizon"], where=_where(text))
    settled = parse_duration(match["settled"], where=_where(text)) if match["settled"] else None
    at = _at(match["at"].strip(), text)
    entities = _entities(match["entities"], at, text)
    given = tuple(part.strip() for part in (match["given"] or "").split(",") if part.strip())
    return PredictiveQuery(text, target, match["name"], horizon, settled, entities, at, given)


def _target(text: str, whole: str) -> tuple[str | Rows, str]:
    """What is predicted, and the text behind it."""
    match = re.match(rf"({_NAME})(\s*\()?", text, re.ASCII)
    if match is None:
        raise _no_query(whole, "there is no metric or aggregate after PREDICT")
    if match[2] is None:
        return match[1].lower(), text[match.end() :]
    end = _closing(text, match.end(), whole)
    return _rows(match[1].lower(), text[match.end() : end], whole), text[end + 1 :]


def _closing(text: str, start: int, whole: str) -> int:
    """Where the parenthesis that was opened before `start` is closed; texts in quotes are passed over."""
    depth, quote = 1, ""
    for i in range(start, len(text)):
        char = text[i]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return i
    raise _no_query(whole, "a parenthesis or a quote is not closed")


def _rows(agg: str, inner: str, whole: str) -> Rows:
    if agg not in AGGREGATES:
        raise UnknownNameError.of("aggregate", agg, AGGREGATES, where=_where(whole))
    match = _ROWS.fullmatch(inner)
    if match is None:
        raise _no_query(whole, f"'{inner.strip()}' are no rows", "write flights, flights.delay or flights where …")
    if (match["column"] is None) != (agg in ("count", "exists")):
        needs = "counts rows" if match["column"] else "needs a column"
        form = f"{agg}({match['model']})" if match["column"] else f"{agg}({match['model']}.distance)"
        raise _no_query(whole, f"{agg} {needs}", f"write {form}")
    where = match["where"].strip() if match["where"] else None
    return Rows(agg, match["model"].lower(), match["column"], where)


def _at(text: str, whole: str) -> Grid | Times:
    grid = _GRID.fullmatch(text)
    if grid is None:
        column = _COLUMN.fullmatch(text)
        if column is None:
            raise _no_query(whole, f"'{text}' are no times")
        return Times(column["relation"], column["column"])
    step = parse_duration(grid["step"], where=_where(whole))
    first, last = (grid[part].strip().strip("'") for part in ("first", "last"))
    if step.count == 0:
        raise _no_query(whole, "the step is no time at all", "give a step above 0")
    if moment_of(first, where=_where(whole)) > moment_of(last, where=_where(whole)):
        raise _no_query(whole, "its last time is before its first", f"write from {last} to {first}")
    return Grid(step, first, last)


def _entities(text: str, at: Grid | Times, whole: str) -> Mapping[str, str]:
    entities: dict[str, str] = {}
    for part in text.split(","):
        entity, *column = part.split()
        entities[entity.lower()] = column[0] if column else entity
    if isinstance(at, Grid) and (len(entities) > 1 or next(iter(entities.items())) != (text.lower(), text)):
        raise _no_query(
            whole, "a grid of times has the keys of one entity, by its name", "write AT table.column for other columns"
        )
    return entities


def _where(text: str) -> str:
    return f"'{' '.join(text.split())}'"


def _no_query(text: str, why: str, fix: str = f"write it as {_FORM}") -> InvalidRequestError:
    return InvalidRequestError(f"this is no predictive query: {why}", where=_where(text), fix=fix)
