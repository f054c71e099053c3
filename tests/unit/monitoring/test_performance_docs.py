"""The examples of docs/performance.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from sqlglot import exp

from penstock.monitoring.performance.formulas import METRICS
from penstock.monitoring.performance.regression import NUMBER_METRICS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "performance.md").read_text()
KINDS = {"day": "INT", "age": "DOUBLE", "p_late": "DOUBLE", "is_late": "INT"}


def table(header: str) -> list[dict[str, str]]:
    lines = PAGE[PAGE.index(header) :].split("\n\n", 1)[0].splitlines()
    names, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(names, row, strict=True)) for row in rows]


def text_of(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "NULL" if value is None else str(value)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the page's Python has made, over its rows."""
    connection = duckdb.connect()
    rows = table("| carrier | day |")
    columns = [f"{name} {KINDS.get(name, 'TEXT')}" for name in rows[0]]
    connection.execute(f"CREATE TABLE scored ({', '.join(columns)})")
    for row in rows:
        values = [None if value == "NULL" else value for value in row.values()]
        connection.execute(f"INSERT INTO scored VALUES ({', '.join('?' * len(row))})", values)
    names: dict[str, Any] = {"connection": connection}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        exec(block, names)
    return names


def asked(names: dict[str, Any], query: exp.Query, header: str) -> list[dict[str, str]]:
    """The rows of the answer, as text, by the columns of the page's table."""
    cursor = names["connection"].execute(query.sql("duckdb"))
    columns = [each[0] for each in cursor.description]
    shown = [cell.strip() for cell in header.strip("|").split("|")]
    found = [dict(zip(columns, map(text_of, row), strict=True)) for row in cursor.fetchall()]
    return [{column: row[column] for column in shown} for row in found]


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("answer", "| metric | value | standard_error | low | high | rows |"),
        ("known", "| p_late | is_late | age | arrived_share | weight | outcome |"),
        (
            "beside",
            "| day | metric | realised | realised_rows | estimated | estimated_low | estimated_high |",
        ),
        (
            "told",
            "| slice | slice_value | metric | value | low | high | rows | rest | gap | gap_to_best | judged | p |",
        ),
    ],
)
def test_the_answers_of_the_page(names: dict[str, Any], query: str, header: str) -> None:
    found = asked(names, names[query], header)
    shown = table(header)
    assert shown
    for row in shown:
        assert row in found
    if query == "answer":
        assert shown == found


def test_tiles_say_the_same(names: dict[str, Any]) -> None:
    header = "| carrier | metric | value |"
    of_tiles = asked(names, names["week"], header)
    [tie] = [row for row in of_tiles if row["carrier"] == "AA" and row["metric"] == "auc"]
    assert float(tie["value"]) == pytest.approx(0.875)  # of 0.3 there is a late one and one that is not
    assert {row["carrier"] for row in of_tiles} == {"AA", "DL"}


def test_the_metrics_of_the_page_are_all_there_are() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert told >= METRICS.keys() | NUMBER_METRICS.keys()


def test_the_tests_of_the_page_are_those_of_the_package() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for column in yaml.safe_load(text)["columns"]:
        for test in column["data_tests"]:
            [(name, given)] = test.items()
            macro = (ROOT / "tests/data/generic" / f"{name.removeprefix('penstock.')}.sql").read_text()
            [signature] = re.findall(r"\{% test \w+\((.*?)\) %\}", macro, re.DOTALL)
            assert given["arguments"].keys() <= set(re.findall(r"\w+(?==|,|$|\s)", signature))
