"""The example and the sentence of docs/labels.md, run as they stand there."""

from __future__ import annotations

import re
from typing import Any

import duckdb
from doc_pages import DOCS, create, flights, shown, table

import penstock.training_sets
from penstock.training_sets import parse_feature, parse_label, parse_predictive

PAGE = (DOCS / "labels.md").read_text()


def test_the_example() -> None:
    connection = duckdb.connect()
    create(connection, "flights", table(PAGE, "| id | carrier | departed_at |"))
    create(connection, "labels", table(PAGE, "| id | carrier | at |\n"))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compiled: Any = eval(code, {"manifest": flights(), **vars(penstock.training_sets)})
    found = shown(connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY id"))
    assert found == table(PAGE, "| id | carrier | at | carrier__landed__5h |")


def test_what_is_written_can_be_read() -> None:
    (sentence,) = re.findall(r"```\n(PREDICT.*?)```", PAGE, re.DOTALL)
    query = parse_predictive(sentence)
    assert [parse_feature(text).name for text in query.given] == [
        "carrier__on_time_rate__7d", "carrier__cancelled_rate__3d",
    ]  # fmt: skip
    (label,) = re.findall(r"labels=\['(.*?)'\]", PAGE)
    assert parse_label(label).name == "cancelled_tomorrow"
