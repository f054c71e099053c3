"""A training set in slices of its spine's time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.semantic.durations import Duration
from penstock.semantic.expressions import timestamp
from penstock.semantic.render import render
from penstock.training_sets.sql import known_dialect, source_of, user_column

if TYPE_CHECKING:
    from penstock.training_sets.request import TrainingSetRequest

_ROWS = "_rows"


def slices(first: datetime, after: datetime, step: Duration) -> Iterator[tuple[datetime, datetime]]:
    """The slices of a range: of each its first instant, and the first after it; the last may be shorter.

    Raises:
        InvalidRequestError: There is no time in the range, or the step is none.

    Example:
        >>> [end.day for _, end in slices(datetime(2026, 1, 1), datetime(2026, 1, 6), Duration(2, "day"))]
        [3, 5, 6]
    """
    if first >= after or step.count == 0:
        raise InvalidRequestError(
            "there is no time in it", where=f"from {first} to {after} by {step.count} {step.unit}s"
        )
    while first < after:
        end = min(first + timedelta(microseconds=step.microseconds), after)
        yield first, end
        first = end


def sliced(request: TrainingSetRequest, ends: tuple[datetime, datetime], dialect: str = "spark") -> TrainingSetRequest:
    """The request for the rows of the spine in one slice.

    Raises:
        InvalidRequestError: Which rows the set has depends on rows in other slices.
    """
    if request.balance is not None or request.negatives is not None:
        raise InvalidRequestError(
            "which rows are balanced or drawn depends on all of them", where="a slice", fix="build the set whole"
        )
    target, spine = known_dialect(dialect), request.spine
    at = user_column(spine.at, _ROWS)
    first, after = (timestamp(end.isoformat(" ")) for end in ends)
    rows = exp.Select().from_(source_of(spine.relation, _ROWS, target), copy=False)
    rows = rows.select(exp.Column(this=exp.Star(), table=exp.to_identifier(_ROWS)), copy=False)
    here = exp.and_(exp.GTE(this=at, expression=first), exp.LT(this=at.copy(), expression=after), copy=False)
    relation = render(rows.where(here, copy=False), target)
    return replace(request, spine=replace(spine, relation=relation))
