"""How often the classifier two-sample test alarms where nothing changed: at most as often as it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from penstock.monitoring.drift.two_sample import two_sample


@pytest.mark.parametrize(("classifier", "worlds", "sizes"), [("linear", 600, (60, 90)), ("trees", 200, (150, 200))])
def test_false_alarms_are_as_rare_as_they_should_be(classifier: Any, worlds: int, sizes: tuple[int, int]) -> None:
    draw = np.random.default_rng(11)

    def sample(rows: int) -> pd.DataFrame:
        x = draw.normal(0, 1, rows)
        kind = draw.choice(["a", "b", None], rows)
        return pd.DataFrame({"x": x, "y": x + draw.exponential(1, rows), "whole": draw.poisson(2, rows), "kind": kind})

    with threadpool_limits(1):
        found = [two_sample(*map(sample, sizes), classifier=classifier, seed=at) for at in range(worlds)]
    p = np.array([each.p for each in found])
    for alpha in (0.01, 0.05, 0.1, 0.2):
        assert (p < alpha).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / worlds), alpha
    assert abs(np.mean([each.auc for each in found]) - 0.5) < 0.01
    assert np.std([each.z for each in found]) < 1 + 3 / np.sqrt(2 * worlds)
