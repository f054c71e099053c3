"""What the tests of the docs' examples share: tables as the pages have them, and the flights that they are about."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.manifest.model import Aggregation, Dimension, Entity, Metric, Relation, SemanticManifest, SemanticModel

if TYPE_CHECKING:
    import duckdb

DOCS = Path(__file__).parents[3] / "docs"
TYPES = {"id": "INT", "carrier": "TEXT", "delay": "INT"}


def table(page: str, header: str) -> list[dict[str, str]]:
    """The rows of the table of a page that begins with this header."""
    lines = page[page.index(header) :].split("\n\n", 1)[0].splitlines()
    names, _, *rows = (_cells(line) for line in lines if line.startswith("|"))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def shown(result: Any) -> list[dict[str, str]]:
    """The rows of an answer as a page has them."""
    names = [d[0] for d in result.description]
    return [dict(zip(names, map(text_of, row), strict=True)) for row in result.fetchall()]


def text_of(value: Any) -> str:
    """A value as a page has it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "NULL" if value is None else str(value)


def create(
    connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, str]], types: dict[str, str] = TYPES
) -> None:
    """A table of these rows; columns without a type have times."""
    columns = ", ".join(f'"{column}" {types.get(column, "TIMESTAMP")}' for column in rows[0])
    connection.execute(f"CREATE TABLE {name} ({columns})")
    connection.executemany(
        f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", [tuple(r.values()) for r in rows]
    )


def flights(relation: str = "flights", **knowledge: str) -> SemanticManifest:
    """Flights, known when they land unless it is said otherwise, and two metrics."""
    model = SemanticModel(
        "flights",
        Relation(relation, relation, ""),
        entities=(Entity("flight", "primary", "id"), Entity("carrier", "foreign", "carrier")),
        dimensions=(Dimension("departed_at", "time", "departed_at", grain="minute"),),
        time_dimension="departed_at",
        meta={"penstock": knowledge or {"known_at": "landed_at"}},
    )
    metrics = {
        name: Metric(name, "simple", aggregation=Aggregation("flights", "sum", expr, "departed_at"))
        for name, expr in (("total_delay", "delay"), ("landed", "1"))
    }
    return SemanticManifest(models={"flights": model}, metrics=metrics)
