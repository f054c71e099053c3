"""The example of docs/training_sets.md, run as it stands there."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

import penstock.training_sets
from penstock.manifest.model import Aggregation, Dimension, Entity, Metric, Relation, SemanticManifest, SemanticModel
from penstock.semantic import MetricRequest, compile_request
from penstock.training_sets import parse_feature

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "training_sets.md").read_text()


def _table(header: str, page: str = PAGE) -> list[dict[str, str]]:
    """The rows of the table that begins with this header."""
    lines = iter(page[page.index(header) :].splitlines())
    names = _cells(next(lines))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, _cells(line), strict=True)))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "NULL" if value is None else str(value)


def _manifest(table: str = "flights", **knowledge: str) -> SemanticManifest:
    flights = SemanticModel(
        "flights",
        Relation(table, table, ""),
        entities=(Entity("flight", "primary", "id"), Entity("carrier", "foreign", "carrier")),
        dimensions=(Dimension("departed_at", "time", "departed_at", grain="minute"),),
        time_dimension="departed_at",
        meta={"penstock": knowledge or {"known_at": "landed_at"}},
    )
    metrics = {
        name: Metric(name, "simple", aggregation=Aggregation("flights", "sum", expr, "departed_at"))
        for name, expr in (("total_delay", "delay"), ("landed", "1"))
    }
    return SemanticManifest(models={"flights": flights}, metrics=metrics)


def _create(
    connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, str]], types: dict[str, str]
) -> None:
    columns = ", ".join(f'"{column}" {types.get(column, "TIMESTAMP")}' for column in rows[0])
    connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.executemany(
        f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", [tuple(r.values()) for r in rows]
    )


def test_the_example() -> None:
    connection = duckdb.connect()
    types = {"id": "INT", "carrier": "TEXT", "delay": "INT"}
    _create(connection, "flights", _table("| id | carrier | departed_at | landed_at | delay |"), types)
    _create(connection, "labels", _table("| id | carrier | at |\n"), types)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compiled: Any = eval(code, {"manifest": _manifest(), **vars(penstock.training_sets)})
    result = connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY id")
    names = [d[0] for d in result.description]
    found = [dict(zip(names, map(_shown, row), strict=True)) for row in result.fetchall()]
    assert found == _table("| id | carrier | at | carrier__total_delay__5h |")


def _corrected() -> tuple[duckdb.DuckDBPyConnection, SemanticManifest]:
    connection = duckdb.connect()
    types = {"id": "INT", "carrier": "TEXT", "delay": "INT", "gone": "BOOLEAN"}
    _create(connection, "corrected_flights", _table("| id | carrier | departed_at | known_at |"), types)
    return connection, _manifest("corrected_flights", known_at="known_at", version_of="id", deleted="gone")


def test_the_example_of_corrections() -> None:
    connection, manifest = _corrected()
    wanted = _table("| label | carrier | at |")
    labels = [{name: row[name] for name in ("label", "carrier", "at")} for row in wanted]
    _create(connection, "labels", labels, {"label": "INT", "carrier": "TEXT"})
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for text in (code, code.replace('"flights": {', '"corrected_flights": {')):  # types unknown, and known
        compiled: Any = eval(text, {"manifest": manifest, **vars(penstock.training_sets)})
        result = connection.execute(f"SELECT * FROM ({compiled.sql}) ORDER BY label")
        names = [d[0] for d in result.description]
        assert [dict(zip(names, map(_shown, row), strict=True)) for row in result.fetchall()] == wanted


def test_what_bi_says_of_the_corrections() -> None:
    connection, manifest = _corrected()
    for row in _table("| known_at | AA | BB |", (DOCS / "metrics.md").read_text()):
        moment = None if row["known_at"] == "(none)" else row["known_at"]
        request = MetricRequest(("total_delay",), ("carrier",), known_at=moment)
        found = dict(connection.execute(compile_request(manifest, request, "duckdb").sql).fetchall())
        assert {carrier: _shown(found.get(carrier)) for carrier in ("AA", "BB")} == {k: row[k] for k in ("AA", "BB")}


@pytest.mark.parametrize("row", _table("| text | value | column |"), ids=lambda row: row["column"])
def test_the_names_of_features(row: dict[str, str]) -> None:
    assert parse_feature(row["text"].strip("`")).name == row["column"].strip("`")
