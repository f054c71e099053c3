"""The example and the sentence of docs/labels.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
from test_docs import _cells, _create, _manifest, _shown

import penstock.training_sets
from penstock.training_sets import parse_feature, parse_label, parse_predictive

PAGE = (Path(__file__).parents[3] / "docs" / "labels.md").read_text()


def _table(header: str) -> list[dict[str, str]]:
    lines = PAGE[PAGE.index(header) :].split("\n\n")[0].splitlines()
    return [dict(zip(_cells(lines[0]), _cells(line), strict=True)) for line in lines[2:]]


def test_the_example() -> None:
    connection = duckdb.connect()
    types = {"id": "INT", "carrier": "TEXT", "delay": "INT"}
    _create(connection, "flights", _table("| id | carrier | departed_at |"), types)
    _create(connection, "labels", _table("| id | carrier | at |\n"), types)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compiled: Any = eval(code, {"manifest": _manifest(), **vars(penstock.training_sets)})
    result = connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY id")
    names = [d[0] for d in result.description]
    found = [dict(zip(names, map(_shown, row), strict=True)) for row in result.fetchall()]
    assert found == _table("| id | carrier | at | carrier__landed__5h |")


def test_what_is_written_can_be_read() -> None:
    (sentence,) = re.findall(r"```\n(PREDICT.*?)```", PAGE, re.DOTALL)
    query = parse_predictive(sentence)
    assert [parse_feature(text).name for text in query.given] == [
        "carrier__on_time_rate__7d", "carrier__cancelled_rate__3d",
    ]  # fmt: skip
    (label,) = re.findall(r"labels=\['(.*?)'\]", PAGE)
    assert parse_label(label).name == "cancelled_tomorrow"
