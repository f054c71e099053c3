"""What scoring takes, by who asks for it: figures that workers count and the driver gathers.

The driver holds one set of figures for each use, however many rows there are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar


@dataclass(frozen=True)
class Asker:
    """Who asks for scores.

    Attributes:
        user: The user of the session.
        node: The id of the dbt node that the statement belongs to; empty without one.
    """

    user: str = ""
    node: str = ""


NOBODY = Asker()


class Use(NamedTuple):
    """By what is counted: the version that scores, the function that is called, what scores it, who asks."""

    model: str
    version: int
    function: str
    engine: str
    user: str
    node: str


class Figures(NamedTuple):
    """What is counted.

    Attributes:
        statements: That were planned with a call.
        rows: That were scored; None where nobody counted any.
        errors: Those of the rows that failed.
        seconds: CPU time in the worker.
    """

    statements: int = 0
    rows: int | None = None
    errors: int | None = None
    seconds: float | None = None

    def __add__(self, other: object) -> Figures:
        """The sum, in which None counts as nothing."""
        assert isinstance(other, Figures)
        return Figures(
            self.statements + other.statements,
            _sum(self.rows, other.rows),
            _sum(self.errors, other.errors),
            _sum(self.seconds, other.seconds),
        )


Counted = dict[Use, Figures]
_Number = TypeVar("_Number", int, float)

# Properties of the thread that runs a statement: the dbt node that asks, and whether nobody does.
NODE, UNCOUNTED = "penstock.node", "penstock.uncounted"

# Of the driver's figures: one thread adds what workers send, others add and take away.
_lock = threading.Lock()


class Counting:
    """How PySpark adds figures up: what its `AccumulatorParam` is, without an import of PySpark."""

    def zero(self, value: Counted) -> Counted:
        """Nothing is counted yet."""
        return {}

    def addInPlace(self, value1: Counted, value2: Counted) -> Counted:  # noqa: N802
        """Add figures to those that there are."""
        with _lock:
            for use, figures in value2.items():
                value1[use] = value1.get(use, Figures()) + figures
        return value1


def take(counted: Counted) -> Counted:
    """All that is counted, which counts from nothing then; what comes meanwhile is in the one or in the other."""
    with _lock:
        taken = dict(counted)
        counted.clear()
    return taken


@contextmanager
def marked(spark: Any, name: str, value: str) -> Iterator[None]:
    """Within, what this thread asks of Spark has a property.

    Args:
        spark: A session.
        name: `NODE` or `UNCOUNTED`.
        value: Of the property; it is none where it is empty.
    """
    spark.sparkContext.setLocalProperty(name, value)
    try:
        yield
    finally:
        with suppress(Exception):  # Spark may have ended meanwhile
            spark.sparkContext.setLocalProperty(name, None)


def _sum(one: _Number | None, other: _Number | None) -> _Number | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
