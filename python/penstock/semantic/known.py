"""Pass: a fact's rows as they were known at a moment: those that had happened, and were known, before it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.manifest.model import Metric, SemanticModel
from penstock.semantic.expressions import timestamp
from penstock.semantic.knowledge import Versions, knowledge_of, versions_of

if TYPE_CHECKING:
    from penstock.semantic.scope import Scope


@dataclass(frozen=True)
class Known:
    """Which rows count: those known before `before`, by an expression, or a delay after they happened.

    Args:
        before: The moment asked about; None for the end of time.
        known_at: When a row is known, as SQL over its columns; None where that follows from when it happened.
        delay: How long after it happened a row is known, where `known_at` is None.
        versions: Where rows supersede each other, how.
    """

    before: dt.datetime | None = None
    known_at: str | None = None
    delay: dt.timedelta = dt.timedelta()
    versions: Versions | None = None


def known_of(model: SemanticModel, metric: Metric | None, before: dt.datetime | None) -> Known | None:
    """What is known before a moment, to a simple metric or without one; None where every row counts.

    Raises:
        InvalidDefinitionError: Neither the metric nor its semantic model declares when rows are known.
    """
    versions = versions_of(model, metric)
    if before is None and versions is None:
        return None
    declared = knowledge_of(model, metric)
    known_at = None if declared.known_at is None else declared.known_at.sql("spark")
    return Known(before, known_at, dt.timedelta(microseconds=declared.delay), versions)


def known_tests(scope: Scope, known: Known | None) -> list[exp.Expr]:
    """What a row has to pass to count; one whose time, or time of being known, is NULL never does."""
    if known is None or known.before is None:
        return []
    happened = exp.LT(this=scope.time(), expression=timestamp(last_event(scope.model, known).isoformat(" ")))
    if known.known_at is None:
        return [happened]
    value = scope.value(known.known_at, f"semantic model {scope.model.name}, known_at")
    before = exp.LT(this=value, expression=timestamp(known.before.isoformat(" ")))
    return [exp.and_(happened, before, copy=False)]


def last_event(model: SemanticModel, known: Known) -> dt.datetime:
    """The moment before which a row has to have happened to be known, as far as a delay tells."""
    assert known.before is not None
    try:
        return known.before - known.delay
    except OverflowError as bad:
        where = f"semantic model {model.name}"
        raise InvalidDefinitionError("the delay is longer than the calendar", where=where) from bad
