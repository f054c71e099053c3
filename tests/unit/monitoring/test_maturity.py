"""How labels arrive, on DuckDB: curves against statsmodels, and simulations of what is known before all have come."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from statsmodels.duration.survfunc import SurvfuncRight

from penstock.errors import InvalidRequestError
from penstock.monitoring.performance.curves import Curve
from penstock.monitoring.performance.maturity import arrival_curve, weighted
from penstock.monitoring.performance.metrics import performance
from penstock.monitoring.performance.scores import Scores

CONNECTION = duckdb.connect()


def asked(query: exp.Query) -> list[dict[str, Any]]:
    cursor = CONNECTION.execute(query.sql("duckdb"))
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


ages = st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from("ab")), min_size=1, max_size=50)


@settings(max_examples=60, deadline=None)
@given(ages)
def test_curves_are_those_of_statsmodels(rows: list[tuple[int, bool, str]]) -> None:
    age, arrived, segment = (list(each) for each in zip(*rows, strict=True))
    CONNECTION.register("waiting", pa.table({"age": age, "arrived": arrived, "Segment": segment}))
    found = asked(arrival_curve("waiting", "duckdb", by=["Segment"]))
    for one in "ab":
        own = [row for row in found if row["Segment"] == one]
        chosen = [(a, d) for a, d, s in rows if s == one]
        if not any(d for _, d in chosen):
            assert own == []
            continue
        oracle = SurvfuncRight([a for a, _ in chosen], [int(d) for _, d in chosen])
        wanted = [t for t, d in zip(oracle.surv_times, oracle.n_events, strict=True) if d]
        own.sort(key=lambda row: row["age"])
        assert [row["age"] for row in own] == wanted
        for row, t in zip(own, wanted, strict=True):
            at = list(oracle.surv_times).index(t)
            assert row["share"] == pytest.approx(1 - oracle.surv_prob[at], abs=1e-12)
            assert (row["at_risk"], row["arrivals"]) == (oracle.n_risk[at], oracle.n_events[at])
            error = oracle.surv_prob_se[at]
            if oracle.surv_prob[at] > 0:
                assert row["standard_error"] == pytest.approx(error, abs=1e-12)


def test_steps_and_ages_that_are_none() -> None:
    table = pa.table({"age": [None, -3.0, 0.4, 1.0, 1.2, 7.7], "arrived": [True, True, True, True, True, False]})
    CONNECTION.register("few_waiting", table)
    found = {
        row["age"]: (row["at_risk"], row["arrivals"]) for row in asked(arrival_curve("few_waiting", "duckdb", step=1))
    }
    assert found == {0: (5, 1), 1: (4, 2), 2: (2, 1)}
    with pytest.raises(InvalidRequestError, match="the step is 0"):
        arrival_curve("few_waiting", "spark", step=0)
    with pytest.raises(InvalidRequestError, match="the key 'Share'"):
        arrival_curve("few_waiting", "spark", by=["Share"])


# ---------------------------------------------------------------- simulations

DAYS, HORIZON, A_DAY = 12, 5.0, 4_000


def test_the_newest_days_rate_of_clicks() -> None:
    """Clicks come late and no click is no message: the newest days look bad, and weighted they don't."""
    rng = np.random.default_rng(8)
    naive_error, weighted_error = [], []
    for _ in range(6):
        day = np.repeat(np.arange(DAYS), A_DAY)
        age = DAYS - day - rng.uniform(0, 1, len(day))
        p = rng.beta(2, 8, len(day))
        will = rng.uniform(size=len(day)) < p
        delay = np.minimum(rng.exponential(1.0, len(day)), HORIZON)
        seen = will & (delay <= age)
        known = pa.array(np.where(seen, 1.0, np.nan), from_pandas=True)
        CONNECTION.register("clicks", pa.table({"day": day, "score": p, "age": age, "label": known, "delay": delay}))
        mature = exp.select("delay AS age", "TRUE AS arrived").from_("clicks").where(f"age >= {HORIZON} AND label = 1")
        curve = Curve(arrival_curve(mature, "duckdb", step=0.01), x="age", y="share")
        rows = weighted("clicks", curve, "duckdb")
        scores = Scores(rows, label="outcome", keys=("day",), label_is="weighted_outcome")
        found = {row["day"]: row for row in asked(performance(scores, "duckdb")) if row["metric"] == "positives"}
        for newest in (DAYS - 1, DAYS - 2):
            own, row = day == newest, found[newest]
            final, naive = will[own].mean(), seen[own].mean()
            naive_error.append((naive - final) / np.sqrt(final * (1 - final) / A_DAY))
            weighted_error.append((row["value"] - final) / row["standard_error"])
        # of mature days nothing is weighted
        assert found[0]["value"] == pytest.approx(seen[day == 0].mean(), rel=1e-12)
    assert max(naive_error) < -5
    assert np.abs(weighted_error).max() < 2
    assert np.sign(weighted_error).min() < 0 < np.sign(weighted_error).max()


def test_labels_that_come_later_in_one_segment() -> None:
    """Only labels that have come are known, those of a segment with other rates come later: weights undo the mix."""
    rng = np.random.default_rng(9)
    n = 20_000
    slow = rng.uniform(size=n) < 0.5
    y = (rng.uniform(size=n) < np.where(slow, 0.6, 0.2)).astype(float)
    age = rng.uniform(0, 3, n)
    delay = rng.exponential(np.where(slow, 3.0, 0.3))
    arrived = delay <= age
    CONNECTION.register(
        "late_labels",
        pa.table({
            "segment": slow, "score": np.full(n, 0.4), "age": age, "waited": np.minimum(age, delay), "arrived": arrived,
            "label": pa.array(np.where(arrived, y, np.nan), from_pandas=True),
        }),
    )  # fmt: skip
    shares = arrival_curve("late_labels", "duckdb", age="waited", by=["segment"], step=0.01)
    curve = Curve(shares, x="age", y="share", by=("segment",))
    known = weighted("late_labels", curve, "duckdb")
    found = asked(performance(Scores(known, weight="weight"), "duckdb"))
    [row] = [row for row in found if row["metric"] == "positives"]
    assert row["rows"] <= arrived.sum() < n
    assert y[arrived].mean() < y.mean() - 5 * row["standard_error"]
    assert row["value"] == pytest.approx(y.mean(), abs=2 * row["standard_error"])


def test_before_the_first_arrival_nothing_is_known() -> None:
    points = exp.select("*").from_(exp.values([(2, 0.5), (3, 1)], alias="t", columns=["age", "share"]))
    rows = exp.select("*").from_(
        exp.values([(1, None), (2, None), (2, 1), (5, 0)], alias="r", columns=["age", "label"])
    )
    found = asked(weighted(rows, Curve(points, x="age", y="share"), "duckdb"))
    assert [(r["arrived_share"], r["weight"], r["outcome"]) for r in found] == [
        (0, None, None), (0.5, None, 0), (0.5, 2, 2), (1, 1, 0),
    ]  # fmt: skip
