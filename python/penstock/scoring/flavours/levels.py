"""The levels of inputs, as a library has them and as a description says them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.scoring.contract import Input

# An input of more levels is described as one of none: descriptions are read with each promotion.
MOST = 100_000


def with_levels(inputs: Sequence[Input], known: Mapping[str, Iterable[Any]]) -> tuple[Input, ...]:
    """The inputs with the levels that the model knows.

    Args:
        inputs: Of the signature.
        known: By input, what the library has: texts, numbers, and what it takes for missing. An input whose levels are
            not of its type, or more than 100,000, has none.
    """
    return tuple(
        replace(each, levels=_levels(each, known[each.name])) if each.name in known else each for each in inputs
    )


def _levels(each: Input, known: Iterable[Any]) -> tuple[Any, ...]:
    present = [level for level in known if not _lacks(level)]
    if len(present) > MOST:
        return ()
    try:
        made = [_of_type(each.type, level) for level in present]
    except (OverflowError, TypeError, ValueError):
        return ()
    return tuple(dict.fromkeys(level for level in made if level is not None))


def _of_type(kind: str, level: Any) -> Any:
    """A level in the type of its input; None for one that no value of the type is equal to."""
    if kind == "STRING":
        if not isinstance(level, str):
            raise TypeError(level)
        return str(level)
    if isinstance(level, str) or kind not in ("INT", "BIGINT", "FLOAT", "DOUBLE"):
        raise TypeError(level)
    if kind in ("FLOAT", "DOUBLE"):
        return float(level) + 0.0  # -0.0 is 0.0
    return int(level) if level == int(level) and abs(level) < 2**63 else None


def _lacks(level: Any) -> bool:
    import pandas as pd

    return level is None or level is pd.NA or (isinstance(level, float) and math.isnan(level))
