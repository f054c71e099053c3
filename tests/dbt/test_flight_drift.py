"""The monitoring models of the demo: flights in their bins, and how far weeks are from the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scipy import stats

if TYPE_CHECKING:
    from penstock.project import Project


def test_each_flight_is_in_one_bin_of_each_feature(flights: Project) -> None:
    [(n,)] = flights.spark.sql("SELECT COUNT(*) FROM arrival_delay_training").collect()
    for table in ("flight_tiles", "training_tiles"):
        counted = flights.spark.sql(f"SELECT segment, feature, SUM(n) FROM {table} GROUP BY segment, feature").collect()
        assert len(counted) == 12, table
        assert {each[2] for each in counted} == {n}, table


def test_drift_is_that_of_the_flights(flights: Project) -> None:
    """The chi-squared statistic of four weeks of carriers, counted by hand, as scipy has it."""
    window = "predict_at >= TIMESTAMP'2013-07-01' AND predict_at < TIMESTAMP'2013-07-29' AND origin = 'JFK'"
    counts = flights.spark.sql(
        f"SELECT COUNT_IF(origin = 'JFK'), COUNT_IF({window}) FROM arrival_delay_training GROUP BY carrier"
    ).collect()
    expected = stats.chi2_contingency([tuple(row) for row in counts if sum(row)], correction=False)
    [row] = flights.spark.sql(
        "SELECT * FROM flight_drift WHERE feature = 'carrier' AND value = 'JFK' AND window_end = TIMESTAMP'2013-07-29'"
    ).collect()
    assert row["chi2"] == pytest.approx(expected.statistic, rel=1e-9)
    assert row["chi2_p"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert row["chi2_p"] <= row["p_adjusted"] <= 1
