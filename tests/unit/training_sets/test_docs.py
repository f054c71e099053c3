"""The example of docs/training_sets.md, run as it stands there."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest
from doc_pages import DOCS, TYPES, create, flights, shown, table, text_of

import penstock.training_sets
from penstock.manifest.model import SemanticManifest
from penstock.semantic import MetricRequest, compile_request
from penstock.training_sets import parse_feature

PAGE = (DOCS / "training_sets.md").read_text()


def test_the_example() -> None:
    connection = duckdb.connect()
    create(connection, "flights", table(PAGE, "| id | carrier | departed_at | landed_at | delay |"))
    create(connection, "labels", table(PAGE, "| id | carrier | at |\n"))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compiled: Any = eval(code, {"manifest": flights(), **vars(penstock.training_sets)})
    found = shown(connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY id"))
    assert found == table(PAGE, "| id | carrier | at | carrier__total_delay__5h |")


def _corrected() -> tuple[duckdb.DuckDBPyConnection, SemanticManifest]:
    connection = duckdb.connect()
    types = {**TYPES, "gone": "BOOLEAN"}
    create(connection, "corrected_flights", table(PAGE, "| id | carrier | departed_at | known_at |"), types)
    return connection, flights("corrected_flights", known_at="known_at", version_of="id", deleted="gone")


def test_the_example_of_corrections() -> None:
    connection, manifest = _corrected()
    wanted = table(PAGE, "| label | carrier | at |")
    labels = [{name: row[name] for name in ("label", "carrier", "at")} for row in wanted]
    create(connection, "labels", labels, {"label": "INT", "carrier": "TEXT"})
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for text in (code, code.replace('"flights": {', '"corrected_flights": {')):  # types unknown, and known
        compiled: Any = eval(text, {"manifest": manifest, **vars(penstock.training_sets)})
        assert shown(connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY label")) == wanted


def test_what_bi_says_of_the_corrections() -> None:
    connection, manifest = _corrected()
    for row in table((DOCS / "metrics.md").read_text(), "| known_at | AA | BB |"):
        moment = None if row["known_at"] == "(none)" else row["known_at"]
        request = MetricRequest(("total_delay",), ("carrier",), known_at=moment)
        found = dict(connection.execute(compile_request(manifest, request, "duckdb").sql).fetchall())
        assert {carrier: text_of(found.get(carrier)) for carrier in ("AA", "BB")} == {k: row[k] for k in ("AA", "BB")}


@pytest.mark.parametrize("row", table(PAGE, "| text | value | column |"), ids=lambda row: row["column"])
def test_the_names_of_features(row: dict[str, str]) -> None:
    assert parse_feature(row["text"].strip("`")).name == row["column"].strip("`")
