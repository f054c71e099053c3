"""Times of every type at the hours in which clocks change; tests/spark asks Spark the same."""

from __future__ import annotations

import duckdb
import pytest
from zones import ASKED, DAYS, HITS, compiled, expected, table


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin"])
@pytest.mark.parametrize("asked", ["TIMESTAMP", "WITH ZONE"])
@pytest.mark.parametrize("hits", ["TIMESTAMP", "WITH ZONE", "DATE"])
def test_times_are_those_of_utc(hits: str, asked: str, zone: str) -> None:
    """DuckDB reads a TIMESTAMP and a DATE as UTC, whatever the session's zone."""
    con = duckdb.connect()
    con.execute(f"SET TimeZone = '{zone}'")
    moments = DAYS if hits == "DATE" else HITS
    con.execute(f"CREATE TABLE hits AS {table(moments, hits, ('n', 'hit_at'))}")
    con.execute(f"CREATE TABLE asked AS {table(ASKED, asked, ('number', 'at'))}")
    found = sorted(con.execute(compiled("duckdb")).fetchall())
    assert found == expected(moments, ASKED)
