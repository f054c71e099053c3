"""The stable hash against Python's own, value by value."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from examples import number
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from penstock.errors import InvalidRequestError
from penstock.semantic.render import render
from penstock.training_sets.hashing import NUMBERS, border, check_types, hash_of


def _sql(*given: Any) -> str:
    return render(hash_of(*given), "duckdb", pretty=False)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "TINYINT": st.integers(-128, 127),
    "DECIMAL(38,0)": st.integers(-(10**37), 10**37).map(Decimal),
    "VARCHAR": st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    "BOOLEAN": st.booleans(),
    "DATE": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "TIMESTAMP": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
}


def _hashed(connection: duckdb.DuckDBPyConnection, kinds: list[str], rows: list[tuple[Any, ...]]) -> list[Any]:
    columns = [f"c{i}" for i in range(len(kinds))]
    typed = ", ".join(f"{c} {t}" for c, t in zip(columns, kinds, strict=True))
    connection.execute(f"CREATE OR REPLACE TABLE given (n INT, {typed})")
    marks = ", ".join("?" * (len(kinds) + 1))
    connection.executemany(f"INSERT INTO given VALUES ({marks})", [(i, *row) for i, row in enumerate(rows)])
    wanted = _sql([exp.column(c) for c in columns], "split", 7, "duckdb")
    return [n for (n,) in connection.execute(f"SELECT {wanted} FROM given ORDER BY n").fetchall()]


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_each_type(kind: str) -> None:
    connection = duckdb.connect()

    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.none() | VALUES[kind], min_size=1, max_size=20))
    def agrees(values: list[Any]) -> None:
        rows = [(v,) for v in values]
        assert _hashed(connection, [kind], rows) == [number(row, "split", 7) for row in rows]

    agrees()


def test_composite_keys() -> None:
    rows = [("1", "23", 4), ("12", "3", 4), ("", "123", 4), (None, "123", 4), ("-", "123", 4), ("123", None, 4)]
    found = _hashed(duckdb.connect(), ["VARCHAR", "VARCHAR", "INT"], rows)
    assert found == [number(row, "split", 7) for row in rows]
    assert len(set(found)) == len(rows)


@pytest.mark.parametrize(("kind", "zone"), [("TIMESTAMPTZ", "+00"), ("TIMESTAMP", "")])
def test_a_time_is_its_instant_in_every_zone(kind: str, zone: str) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Europe/Berlin'")
    # the clocks are set back between the two, which so have one text
    instants = [datetime(2020, 10, 25, 0, 30), datetime(2020, 10, 25, 1, 30, 0, 1)]
    times = ", ".join(f"({kind} '{instant}{zone}')" for instant in instants)
    wanted = _sql([exp.column("t")], "split", 7, "duckdb")
    found = connection.execute(f"SELECT {wanted} FROM (VALUES {times}) AS v(t) ORDER BY t").fetchall()
    assert [n for (n,) in found] == [number([t], "split", 7) for t in instants]


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT", "DECIMAL(10,2)", "BLOB", "INT[]"])
def test_values_without_a_stable_text_fail(kind: str) -> None:
    wanted = _sql([exp.column("v")], "split", 7, "duckdb")
    value = f"CAST({'[1]' if kind == 'INT[]' else 'chr(49)'} AS {kind})"
    with pytest.raises(duckdb.Error, match="is no whole number, text, boolean, date or time"):
        duckdb.execute(f"SELECT {wanted} FROM (SELECT {value} AS v)").fetchall()


@pytest.mark.parametrize("declared", ["double", "float", "decimal(10,2)", "binary", "array<int>", "map<int,int>"])
def test_declared_types_are_refused_before_data_is_read(declared: str) -> None:
    with pytest.raises(InvalidRequestError) as error:
        check_types(["ID"], {"id": declared}, "sample")
    assert declared in error.value.what
    assert (error.value.where, error.value.fix) == ("sample", "cast it to a whole number or to text")


@pytest.mark.parametrize(
    "declared",
    ["int", "bigint", "tinyint", "decimal(38,0)", "decimal", "string", "varchar(3)", "boolean", "date", "timestamp"],
)
def test_declared_types_that_are_fine(declared: str) -> None:
    check_types(["id", "another"], {"id": declared}, "sample")


def test_purposes_and_seeds_are_independent() -> None:
    """What a sample keeps of a split by the same columns and seed is the share that it keeps of all."""
    ids = range(4000)
    low = [i for i in ids if number([i], "sample", 1) < NUMBERS // 2]
    both = [i for i in low if number([i], "split", 1) < NUMBERS // 2]
    seeds = [i for i in low if number([i], "sample", 2) < NUMBERS // 2]
    for found, of in ((low, 4000), (both, len(low)), (seeds, len(low))):
        assert abs(len(found) - of / 2) < 4 * (of / 4) ** 0.5


def test_borders_are_exact() -> None:
    assert int(border(Fraction(1)).name) == NUMBERS == 16**15
    assert int(border(Fraction(1, 4)).name) == 2**58
    assert int(border(Fraction(1, 10)).name) == 115292150460684697
