"""A request whose cost is measured, and the scan that no answer to it can do without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Case:
    """One request.

    Args:
        name: What it shows.
        request: The request, in the words of the conformance protocol.
        fact: The table that has to be read.
        columns: Its columns that have to be read.
        cumulative: Whether the goal of running totals holds.
    """

    name: str
    request: dict[str, Any]
    fact: str
    columns: str
    cumulative: bool = False

    @property
    def scan(self) -> str:
        """Reads the columns and little more; a hash, since DuckDB tells a maximum without reading."""
        return f"SELECT COUNT(*) FROM {self.fact} WHERE HASH({', '.join(self.columns.split())}) = 0"
