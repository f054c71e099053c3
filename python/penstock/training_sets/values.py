"""What has to be computed for the rows of a spine: totals, newest values, and timeless attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.algebra.aggregates import Aggregate, aggregate
from penstock.training_sets.sql import not_null, struct

if TYPE_CHECKING:
    from penstock.manifest.model import Aggregation
    from penstock.semantic.durations import Duration
    from penstock.semantic.request import Dialect
    from penstock.training_sets.knowledge import Clock
    from penstock.training_sets.shapes import Shape


@dataclass(frozen=True)
class Total:
    """An aggregation over the window before a row's time; over all before it where `window` is None.

    Args:
        asked_after: Microseconds after the row's time at which it is asked, for a label.
    """

    model: str
    entity: str
    value: exp.Expr
    spec: Aggregation
    clock: Clock
    window: Duration | None
    shape: Shape
    asked_after: int = 0

    @property
    def law(self) -> Aggregate:
        """The aggregate and its laws."""
        return aggregate(self.spec.agg)


@dataclass(frozen=True)
class Newest:
    """The value of the newest row that is known, by event, then by when it was known, then by `tie_breaks`.

    Args:
        until: When the row ceases to be valid, where its model says so.
        window: The oldest age, since its event, that is still an answer.
        test: What a row has to pass to be an answer.
        last_known: The rows of a key are versions of one thing, so that the newest is the one known last.
    """

    model: str
    entity: str
    value: exp.Expr
    clock: Clock
    tie_breaks: tuple[exp.Expr, ...]
    until: exp.Expr | None
    window: Duration | None
    shape: Shape = "latest"
    test: exp.Expr | None = None
    last_known: bool = False
    asked_after: int = 0

    @property
    def in_order(self) -> bool:
        """Whether rows enter in the order of their events, so that the newest is the one that entered last."""
        return self.clock.lag is not None and not self.last_known

    def order(self, dialect: Dialect) -> exp.Expr:
        """By what the newest row is the greatest; of rows that enter in order, of those of one instant.

        Engines differ in where NULL ranks within a struct, so that a missing tie-break is told apart by a number.
        """
        fields = {} if self.last_known or self.in_order else {"event": self.clock.event_time(dialect)}
        if not self.in_order:
            fields["known"] = self.clock.known_time(dialect)
        one, zero = exp.Literal.number(1), exp.Literal.number(0)
        for i, tie_break in enumerate(self.tie_breaks):
            name = f"tie_break_{i}" if i else "tie_break"
            fields[f"has_{name}"] = exp.Case(ifs=[exp.If(this=not_null(tie_break), true=one)], default=zero)
            fields[name] = tie_break
        return struct(**fields)


@dataclass(frozen=True)
class LookUp:
    """A timeless attribute of an entity."""

    model: str
    entity: str
    value: exp.Expr
    shape: Shape = "attribute"


Value = Total | Newest | LookUp
