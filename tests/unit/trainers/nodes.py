"""Training nodes, and rows for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from penstock.trainers.node import CLASSIFIER, TrainingNode


def node(**more: Any) -> TrainingNode:
    given: dict[str, Any] = {
        "model": "m", "task": CLASSIFIER, "label": "y", "features": ("x", "kind"), "time": "at", "held_out": 0.2,
        "gap": timedelta(0), "baseline": "", "description": "",
    }  # fmt: skip
    return TrainingNode(**given | more)


def rows(n: int, *, seed: int = 0, ties: int = 1) -> pd.DataFrame:
    """Rows in order; `ties` of them have the same time."""
    draw = np.random.default_rng(seed)
    x = draw.normal(0, 1, n)
    kind = draw.choice(np.array(["a", "b", "c", None], dtype=object), n)
    y = (draw.uniform(0, 1, n) < 1 / (1 + np.exp(-2 * x - (kind == "a")))).astype(int)
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(n) // ties, unit="h")
    frame = pd.DataFrame({"x": x, "kind": kind, "y": y, "at": at})
    return frame.sort_values(["at", "x", "kind", "y"], ignore_index=True)
