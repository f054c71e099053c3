"""The two times of a row: when it happened, and when it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import entry_of
from penstock.semantic.knowledge import knowledge_of
from penstock.training_sets.sql import microseconds, qualified

if TYPE_CHECKING:
    from penstock.manifest.model import Metric, SemanticModel
    from penstock.semantic.request import Dialect


@dataclass(frozen=True)
class Clock:
    """The two times of a row: when it happened, and when it is known.

    Args:
        event: When it happened, over the model's columns.
        known_at: When it is known, over the model's columns; None where that follows from the event.
        delay: Microseconds from the event to when it is known, where `known_at` is None.
        settles: Microseconds by which the event counts as later than it was: a label looks at it when it has settled.
        superseded: When the next version of the row is known, in microseconds; None where rows have no versions. It is
            a window over all rows, so that none may be left out before it is taken.
    """

    event: exp.Expr
    known_at: exp.Expr | None = None
    delay: int = 0
    settles: int = 0
    superseded: exp.Expr | None = None

    @property
    def lag(self) -> int | None:
        """Microseconds from a row's event to its entry; None where they differ between rows."""
        apart = self.known_at is not None or self.superseded is not None
        return None if apart else max(self.delay - self.settles, 0)

    def event_time(self, dialect: Dialect) -> exp.Expr:
        """When it happened, in microseconds."""
        return self._after_event(self.settles, dialect)

    def known_time(self, dialect: Dialect) -> exp.Expr:
        """When it is known, in microseconds; it may be before the event."""
        if self.known_at is not None:
            return microseconds(self.known_at, dialect)
        return self._after_event(self.delay, dialect)

    def entry_time(self, dialect: Dialect) -> exp.Expr:
        """When it enters an answer, in microseconds: known, and happened."""
        if self.known_at is None:
            return self._after_event(max(self.delay, self.settles), dialect)
        return entry_of(self.event_time(dialect), self.known_time(dialect))

    def _after_event(self, length: int, dialect: Dialect) -> exp.Expr:
        event = microseconds(self.event, dialect)
        return exp.Add(this=event, expression=exp.Literal.number(length)) if length else event


def clock_of(model: SemanticModel, event: exp.Expr, metric: Metric | None = None) -> Clock:
    """The clock of a model's rows, as the model, or where it says so itself the metric, declares it.

    Raises:
        InvalidDefinitionError: Neither of them says when a row is known, or one contradicts itself.
    """
    knowledge = knowledge_of(model, metric)
    known_at = knowledge.known_at
    return Clock(event, None if known_at is None else qualified(known_at, model.name), knowledge.delay)
