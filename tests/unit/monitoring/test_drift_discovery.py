"""Adjusted p-values on DuckDB, against scipy."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sqlglot import parse_one

from penstock.errors import UnknownNameError
from penstock.monitoring.discovery import adjusted

CONNECTION = duckdb.connect()
BY_DAY = adjusted("tests", "duckdb", by=["day"]).sql("duckdb")
# Few values, so that some are equal.
p_values = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.04, 1.0]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), p_values), min_size=1, max_size=30))
def test_adjusted_p_values_are_scipys(tests: list[tuple[str | None, float | None]]) -> None:
    table = pa.table(
        {
            "id": pa.array(range(len(tests))),
            "day": pa.array([day for day, _ in tests], pa.string()),
            "chi2_p": pa.array([p for _, p in tests], pa.float64()),
        }
    )
    CONNECTION.register("tests", table)
    answer = CONNECTION.execute(f"SELECT * FROM ({BY_DAY}) ORDER BY id")
    assert [each[0] for each in answer.description] == ["id", "day", "chi2_p", "p_adjusted"]
    got = [row[-1] for row in answer.fetchall()]
    for day in ("a", "b", None):
        family = [at for at, (of, p) in enumerate(tests) if of == day and p is not None]
        if family:
            expected = stats.false_discovery_control([tests[at][1] for at in family])
            np.testing.assert_allclose([got[at] for at in family], expected, rtol=1e-12)
    assert [at for at, value in enumerate(got) if value is None] == [at for at, (_, p) in enumerate(tests) if p is None]


def test_a_query_and_other_names() -> None:
    given_tests = parse_one('SELECT * FROM (VALUES (0.01, 1), (0.04, 2), (0.03, 3)) AS t ("p\'s", id)')
    query = adjusted(given_tests, "duckdb", p="p's", name="q's").sql("duckdb")  # type: ignore[arg-type]
    got = CONNECTION.execute(f'SELECT "q\'s" FROM ({query}) ORDER BY id').fetchall()
    assert [value for (value,) in got] == pytest.approx([0.03, 0.04, 0.04])


def test_another_dialect_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="dialect 'postgres'"):
        adjusted("t", "postgres")  # type: ignore[arg-type]
