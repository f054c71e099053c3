"""The two times of a row: when it happened, and when it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.lifetimes import entry_of
from penstock.training_sets.sql import microseconds

if TYPE_CHECKING:
    from penstock.semantic.request import Dialect


@dataclass(frozen=True)
class Clock:
    """The two times of a row: when it happened, and when it is known.

    Args:
        event: When it happened, over the model's columns.
        known_at: When it is known, over the model's columns; None where that follows from the event.
        delay: Microseconds from the event to when it is known, where `known_at` is None.
    """

    event: exp.Expr
    known_at: exp.Expr | None = None
    delay: int = 0

    @property
    def lag(self) -> int | None:
        """Microseconds from a row's event to its entry; None where they differ between rows."""
        return self.delay if self.known_at is None else None

    def event_time(self, dialect: Dialect) -> exp.Expr:
        """When it happened, in microseconds."""
        return microseconds(self.event, dialect)

    def known_time(self, dialect: Dialect) -> exp.Expr:
        """When it is known, in microseconds; it may be before the event."""
        if self.known_at is not None:
            return microseconds(self.known_at, dialect)
        event = self.event_time(dialect)
        return exp.Add(this=event, expression=exp.Literal.number(self.delay)) if self.delay else event

    def entry_time(self, dialect: Dialect) -> exp.Expr:
        """When it enters an answer, in microseconds: known, and happened."""
        if self.known_at is None:
            return self.known_time(dialect)
        return entry_of(self.event_time(dialect), self.known_time(dialect))
