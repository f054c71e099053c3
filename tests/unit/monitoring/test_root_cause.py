"""When and where a feature changed, against scipy, and how often chance alone alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.drift.root_cause import blamed, change

SHARES = np.array([0.4, 0.3, 0.2, 0.1])
MOVED = np.array([0.2, 0.3, 0.2, 0.3])


def buckets(rng: np.random.Generator, moved: np.ndarray, rows: int = 200) -> np.ndarray:
    """Counts of buckets, of which each has the shares of a change that is so far on."""
    return np.array([rng.multinomial(rows, (1 - part) * SHARES + part * MOVED) for part in moved])


def test_the_statistic_is_scipys() -> None:
    counts = buckets(np.random.default_rng(1), np.zeros(12))
    found = change(counts, permutations=0)
    by_hand = [
        stats.chi2_contingency([counts[:at].sum(axis=0), counts[at:].sum(axis=0)], False, "log-likelihood").statistic
        for at in range(1, 12)
    ]
    assert found.g == pytest.approx(max(by_hand), rel=1e-9)
    assert found.start == 1 + int(np.argmax(by_hand))
    assert sum(found.bins) == pytest.approx(found.g)


def test_a_sudden_change_is_found_when_and_where() -> None:
    rng = np.random.default_rng(2)
    there, elsewhere = buckets(rng, np.arange(60) >= 40), buckets(rng, np.zeros(60))
    found = change(there + elsewhere)
    assert abs(found.start - 40) <= 1
    assert (found.end, found.p) == (60, 0.005)
    assert found.bin == 3
    assert next(iter(blamed({"elsewhere": elsewhere, "there": there}, found))) == "there"


def test_a_change_that_went_away_is_a_window() -> None:
    counts = buckets(np.random.default_rng(3), (np.arange(40) >= 20) & (np.arange(40) < 26))
    found = change(counts, shape="window", permutations=39)
    assert abs(found.start - 20) <= 1
    assert abs(found.end - 26) <= 1
    assert found.p == 1 / 40
    assert found.g > change(counts, permutations=0).g


def test_a_slow_change_is_found() -> None:
    found = change(buckets(np.random.default_rng(4), np.linspace(0, 1, 60)))
    assert 20 <= found.start <= 40
    assert found.p == 0.005
    assert found.bin == 3


def test_chance_alone_alarms_no_more_often_than_declared() -> None:
    rng, alpha, worlds = np.random.default_rng(5), 0.05, 200
    alarms = sum(change(buckets(rng, np.zeros(30)), permutations=99, seed=at).p <= alpha for at in range(worlds))
    assert alarms / worlds <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / worlds)
    assert alarms > 0


def test_buckets_without_rows_and_bins_without_rows() -> None:
    counts = np.array([[5, 0, 0], [0, 0, 0], [5, 0, 0], [0, 5, 0]])
    found = change(counts, permutations=0)
    assert (found.start, found.bins[2]) == (3, 0.0)
    assert change(np.zeros((3, 2)), permutations=9).p == 1


def test_what_is_asked_for_wrongly() -> None:
    for counts in (np.zeros((1, 3)), np.zeros(4), np.zeros((4, 0)), np.array([[1, 2], [-1, 2]])):
        with pytest.raises(InvalidRequestError):
            change(counts)
    with pytest.raises(UnknownNameError):
        change(np.ones((3, 2)), shape="spiral")  # type: ignore[arg-type]
