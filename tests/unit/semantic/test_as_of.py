from __future__ import annotations

from datetime import datetime

import pytest

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.semantic.as_of import read_as_of, tables_in

SQL = "WITH a AS (SELECT x FROM s.facts) SELECT a.x, (SELECT MAX(y) FROM s.dims AS d) AS y FROM a"


def one_line(sql: str) -> str:
    return " ".join(sql.split())


def test_one_timestamp_is_for_every_table_and_no_common_table_expression() -> None:
    read = one_line(read_as_of(SQL, datetime(2013, 5, 3, 12), "spark"))
    assert "s.facts TIMESTAMP AS OF '2013-05-03 12:00:00'" in read
    assert "s.dims TIMESTAMP AS OF '2013-05-03 12:00:00' AS d" in read
    assert read.endswith("FROM a")


def test_versions_are_for_the_named_tables_only() -> None:
    read = one_line(read_as_of(SQL, {"facts": 7}, "spark"))
    assert "s.facts VERSION AS OF 7" in read
    assert read.count("AS OF") == 1


def test_refusals() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: facts"):
        read_as_of(SQL, {"fact": 7}, "spark")
    with pytest.raises(InvalidRequestError, match="not known to duckdb"):
        read_as_of(SQL, {"facts": 7}, "duckdb")


def test_tables_of_one_name_are_told_apart_by_their_schemas() -> None:
    sql = read_as_of("SELECT * FROM a.t, b.t, (WITH t AS (SELECT 1) SELECT * FROM t)", {"a.t": 1, "b.t": 2}, "spark")
    assert " ".join(sql.split()).count("AS OF") == 2
    assert "a.t VERSION AS OF 1" in sql
    assert "b.t VERSION AS OF 2" in sql
    assert tables_in(sql, "spark") == ("a.t", "b.t")


def test_what_a_function_makes_is_no_table() -> None:
    assert tables_in("SELECT * FROM range(9), (VALUES (1)) AS v(x), s.`a b`", "spark") == ("s.a b",)
