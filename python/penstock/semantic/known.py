"""Pass: a fact's rows as they were known at a moment: those that had happened, and were known, before it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlglot import exp

from penstock.errors import InvalidDefinitionError
from penstock.manifest.model import Metric
from penstock.semantic.catalog import Catalog
from penstock.semantic.expressions import timestamp
from penstock.semantic.knowledge import knowledge_of
from penstock.semantic.scope import Scope


@dataclass(frozen=True)
class Known:
    """Which rows count: those known before `before`, by an expression, or a delay after they happened.

    Args:
        before: The moment asked about.
        known_at: When a row is known, as SQL over its columns; None where that follows from when it happened.
        delay: How long after it happened a row is known, where `known_at` is None.
    """

    before: dt.datetime
    known_at: str | None = None
    delay: dt.timedelta = dt.timedelta()


def known_of(catalog: Catalog, metric: Metric, before: dt.datetime) -> Known:
    """What is known to a simple metric before a moment.

    Raises:
        InvalidDefinitionError: Neither the metric nor its semantic model declares when rows are known.
    """
    assert metric.aggregation is not None
    model = catalog.manifest.model(metric.aggregation.semantic_model, where=f"metric {metric.name}")
    declared = knowledge_of(model, metric)
    known_at = None if declared.known_at is None else declared.known_at.sql("spark")
    return Known(before, known_at, dt.timedelta(microseconds=declared.delay))


def known_test(scope: Scope, known: Known) -> exp.Expr:
    """Whether a row counts; one whose time, or time of being known, is NULL never does."""
    try:
        moment = known.before - known.delay
    except OverflowError as bad:
        where = f"semantic model {scope.model.name}"
        raise InvalidDefinitionError("the delay is longer than the calendar", where=where) from bad
    happened = exp.LT(this=scope.time(), expression=timestamp(moment.isoformat(" ")))
    if known.known_at is None:
        return happened
    value = scope.value(known.known_at, f"semantic model {scope.model.name}, known_at")
    return exp.and_(happened, exp.LT(this=value, expression=timestamp(known.before.isoformat(" "))), copy=False)
