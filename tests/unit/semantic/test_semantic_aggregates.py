"""The laws of the aggregates, on rows drawn at random: parts merged are the whole, and rows can be taken back."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from penstock.algebra.aggregates import AGGREGATES, aggregate
from penstock.errors import UnknownNameError

CON = duckdb.connect()
VALUES = st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(-50, 50))), max_size=12)


def _rows(rows: list[tuple[int, int | None]]) -> str:
    values = ", ".join(f"({part}, {'NULL' if v is None else v})" for part, v in rows)
    return f"(SELECT * FROM (VALUES {values or '(0, NULL)'}) t(part, v) {'' if rows else 'WHERE FALSE'})"


def _one(sql: str) -> Any:
    return CON.execute(sql).fetchall()[0][0]


def _sql(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb")


@pytest.mark.parametrize("name", [a.name for a in AGGREGATES.values() if a.decomposable])
@given(rows=VALUES)
@settings(max_examples=40, deadline=None)
def test_merged_parts_are_the_whole(name: str, rows: list[tuple[int, int | None]]) -> None:
    entry = aggregate(name)
    value = exp.column("v")
    whole = _one(f"SELECT {_sql(entry.over_rows(value))} FROM {_rows(rows)}")
    partial = ", ".join(f"{_sql(p.partial(value))} AS {p.name}" for p in entry.parts)
    finished = _sql(entry.finish([p.merge(exp.column(p.name)) for p in entry.parts]))
    assert _one(f"SELECT {finished} FROM (SELECT part, {partial} FROM {_rows(rows)} GROUP BY part)") == whole


@pytest.mark.parametrize("name", [a.name for a in AGGREGATES.values() if a.retractable])
@given(rows=VALUES, gone=VALUES)
@settings(max_examples=40, deadline=None)
def test_rows_can_be_taken_back(
    name: str, rows: list[tuple[int, int | None]], gone: list[tuple[int, int | None]]
) -> None:
    entry = aggregate(name)
    value = exp.column("v")
    whole = _one(f"SELECT {_sql(entry.over_rows(value))} FROM {_rows(rows)}")
    events = f"SELECT 1 AS w, v FROM {_rows(rows + gone)} UNION ALL SELECT -1, v FROM {_rows(gone)}"
    states = ", ".join(f"SUM(w * {_sql(p.lift(value))}) AS {p.name}" for p in entry.retractable)
    finished = _sql(entry.finish([exp.column(p.name) for p in entry.retractable], retracted=True))
    assert _one(f"SELECT {finished} FROM (SELECT {states} FROM ({events}))") == whole


@pytest.mark.parametrize("entry", AGGREGATES.values(), ids=lambda e: e.name)
def test_the_value_over_nothing_is_as_stated(entry: Any) -> None:
    assert _one(f"SELECT {_sql(entry.over_rows(exp.column('v')))} FROM {_rows([])}") == entry.over_nothing


def test_an_unknown_aggregate_is_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean: sum"):
        aggregate("summ")
