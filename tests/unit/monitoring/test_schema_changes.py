"""Columns that come, go, or get another type."""

from __future__ import annotations

import duckdb
import pytest

from penstock.monitoring.anomalies.schema import Changed, changed_sql, changes

WAS = {"id": "bigint", "Name": "string", "size": "int"}


@pytest.mark.parametrize(
    ("now", "declared", "expected", "told"),
    [
        (WAS, {}, [], {}),
        ({"ID": "BIGINT", "name": "string", "size": "integer"}, {}, [], {}),
        (WAS | {"new": "date"}, {}, [], {"new": "new column, date"}),
        (WAS | {"new": "date"}, {"NEW": None}, [], {}),
        ({"id": "bigint", "Name": "string"}, {"size": None}, [], {"size": "gone, was int"}),
        ({"id": "bigint", "Name": "string"}, {}, ["Size"], {}),
        (WAS | {"size": "bigint"}, {"size": None}, [], {"size": "bigint, was int"}),
        (WAS | {"size": "bigint"}, {"size": "int"}, [], {"size": "bigint, was int"}),
        (WAS | {"size": "bigint"}, {"size": "BIGINT"}, [], {}),
        (WAS | {"size": "struct<a: int>"}, {}, ["size"], {}),
        ({}, {}, [], {"id": "gone, was bigint", "Name": "gone, was string", "size": "gone, was int"}),
    ],
)
def test_what_nobody_declared_is_told(
    now: dict[str, str], declared: dict[str, str | None], expected: list[str], told: dict[str, str]
) -> None:
    found = changes(WAS, now, declared=declared, expected=expected)
    assert {each.column: each.told for each in found} == told


def test_nested_types_and_types_of_tomorrow_compare_by_their_text() -> None:
    types = {"a": "struct<x:int,y:array<string>>", "b": "some_type<1>", "c": "timestamp_ntz"}
    assert changes(types, types, declared={}) == []
    [found] = changes(types, types | {"a": "struct<x:bigint,y:array<string>>"}, declared={})
    assert found.column == "a"


def test_changes_are_rows_whatever_their_names_are() -> None:
    name = "x'; DROP TABLE t; --"
    query = changed_sql([Changed(name, "int", None), Changed("b", None, "date")]).sql("duckdb")
    assert sorted(duckdb.sql(query).fetchall()) == [("b", "new column, date"), (name, "gone, was int")]
    assert duckdb.sql(changed_sql([]).sql("duckdb")).fetchall() == []
