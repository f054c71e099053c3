"""The query of the generated data test, run on DuckDB over small tables."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.training_sets.rows import differing_rows_of

Rows = list[tuple[object, object]]
ROWS = st.lists(st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["a", "b", None])), max_size=6)
COLUMNS = [("id", "int"), ("the key", "string")]


def differing(spine: Rows, table: Rows) -> Counter[tuple[object, ...]]:
    connection = duckdb.connect()
    for name, rows in (("spine", spine), ("made", table)):
        connection.execute(f'CREATE TABLE {name} (id INT, "the key" VARCHAR)')
        if rows:
            connection.executemany(f"INSERT INTO {name} VALUES (?, ?)", rows)
    query = differing_rows_of("made", "SELECT * FROM spine", COLUMNS)
    [sql] = sqlglot.transpile(query, read="spark", write="duckdb")
    return Counter({(row[0], row[1]): row[3] - row[2] for row in connection.execute(sql).fetchall()})


@settings(deadline=None)
@given(ROWS, ROWS)
def test_rows_that_are_lost_or_doubled_are_found(spine: Rows, more: Rows) -> None:
    table = more + spine[1:]
    expected = {
        row: Counter(table)[row] - Counter(spine)[row]
        for row in {*spine, *table}
        if Counter(table)[row] != Counter(spine)[row]
    }
    assert differing(spine, table) == expected


@pytest.mark.parametrize("kind", ["map<string,int>", "variant"])
def test_what_cannot_be_grouped_is_compared_as_text(kind: str) -> None:
    assert "TO_JSON(`bag`) AS `bag`" in differing_rows_of("made", "SELECT * FROM spine", [("bag", kind)])
