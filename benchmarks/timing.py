"""Two arms in turn, and the middle of what they took. CPU time, since other work shares the machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def alternately(arms: Sequence[Callable[[], T]], turn: int) -> list[T]:
    """Run every arm once; who goes first changes with the turn. The results stand in the order of the arms."""
    order = [(turn + i) % len(arms) for i in range(len(arms))]
    done = {at: arms[at]() for at in order}
    return [done[at] for at in range(len(arms))]


def cpu_seconds(work: Callable[[], T]) -> tuple[float, T]:
    """The CPU time that the work took in this process, all of its threads together, and what it returned."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def middle(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of ratios."""
    return statistics.geometric_mean(values)
