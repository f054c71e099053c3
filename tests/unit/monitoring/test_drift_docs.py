"""The example of docs/drift.md, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from sqlglot import exp

from penstock.monitoring.discovery import adjusted
from penstock.monitoring.drift import Histograms, drift
from penstock.monitoring.drift.distances import STATISTICS

PAGE = (Path(__file__).parents[3] / "docs" / "drift.md").read_text()
KINDS = {"n": "BIGINT", "m": "BIGINT", "position": "DOUBLE", "width": "DOUBLE"}


def table(header: str) -> list[dict[str, str]]:
    lines = PAGE[PAGE.index(header) :].split("\n\n", 1)[0].splitlines()
    names, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(names, row, strict=True)) for row in rows]


def tiles() -> duckdb.DuckDBPyConnection:
    rows = table("| feature | bin |")
    connection = duckdb.connect()
    columns = [f"{name} {KINDS.get(name, 'TEXT')}" for name in rows[0]]
    connection.execute(f"CREATE TABLE tiles ({', '.join(columns)})")
    for row in rows:
        values = [None if value == "NULL" else value for value in row.values()]
        connection.execute(f"INSERT INTO tiles VALUES ({', '.join('?' * len(row))})", values)
    return connection


def text_of(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "NULL" if value is None else str(value)


def test_the_example() -> None:
    given, many = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {"Histograms": Histograms, "adjusted": adjusted, "drift": drift}
    histograms = eval(given, names)
    assert isinstance(histograms, Histograms)
    shown = table("| feature | psi |")
    query = drift(histograms, "duckdb").subquery("drifts")
    columns = exp.select(*shown[0]).from_(query).order_by("feature").sql("duckdb")
    found = tiles().execute(columns).fetchall()
    assert [dict(zip(shown[0], map(text_of, row), strict=True)) for row in found] == shown

    assert "AS `p_adjusted`" in eval(many, names).sql("spark")


def test_the_statistics_of_the_page_are_all_there_are() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert told >= set(STATISTICS)
