"""The calls of models in a statement that is analysed for its price, as the analyser meets them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from penstock.scoring.declared import Function
from penstock.scoring.live import Held
from penstock.scoring.usage import UNCOUNTED, marked


@dataclass(frozen=True)
class Noted:
    """A call.

    Attributes:
        function: The function that is called.
        held: What the aliases point to that it names.
        text: What the call stands for, as SQL; empty for an average that follows from aggregates of the inputs.
    """

    function: Function
    held: Mapping[str, Held]
    text: str


# By the mark of the thread of Spark's that analyses: builders run in other threads of Python's.
_noted: dict[str, list[Noted]] = {}


@contextmanager
def noting(spark: Any) -> Iterator[list[Noted]]:
    """Within, the calls of models that this thread lets Spark analyse are in the list, and not counted as usage."""
    mark = str(uuid.uuid4())
    _noted[mark] = []
    try:
        with marked(spark, UNCOUNTED, mark):
            yield _noted[mark]
    finally:
        del _noted[mark]


def note(mark: str, call: Noted) -> None:
    """Put a call into the list of the thread with this mark, if it has one."""
    if mark in _noted:
        _noted[mark].append(call)
