"""Small questions to the warehouse through dbt's adapter, on the connection of the running thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbt_common.exceptions import DbtRuntimeError


def rows_of(adapter: Any, sql: str) -> list[Any]:
    """The rows of a query, each by the names of its columns."""
    _, table = adapter.execute(sql, fetch=True)
    return list(table.rows)


def version_of(adapter: Any, relation: str) -> int | None:
    """The present version of a Delta table; None of anything else, which dbt then tells in its own words."""
    quoted = ".".join(f"`{part.strip('`')}`" for part in relation.split("."))
    try:
        return int(rows_of(adapter, f"DESCRIBE HISTORY {quoted} LIMIT 1")[0]["version"])
    except DbtRuntimeError:
        return None


def properties_of(adapter: Any, relation: str) -> dict[str, str] | None:
    """The properties of a table; None where there is none."""
    try:
        return {row["key"]: row["value"] for row in rows_of(adapter, f"SHOW TBLPROPERTIES {relation}")}
    except DbtRuntimeError:
        return None


def set_properties(adapter: Any, relation: str, properties: Mapping[str, str]) -> None:
    """Give a table properties, in one commit."""
    pairs = ", ".join(f"'{name}' = '{in_a_literal(value)}'" for name, value in properties.items())
    adapter.execute(f"ALTER TABLE {relation} SET TBLPROPERTIES ({pairs})")


def in_a_literal(value: str) -> str:
    """Escaped for between single quotes in Spark's SQL."""
    return value.replace("\\", "\\\\").replace("'", "\\'")
