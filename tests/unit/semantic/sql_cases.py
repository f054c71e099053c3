"""Requests with the SQL that somebody would write straight away (`before`) and the SQL that they become (`after`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "sql"
_PARTS = re.compile("^-- (?:request|holds|before|after):", re.MULTILINE)


class Case(NamedTuple):
    """One pair.

    Args:
        title: What it shows.
        request: As `batch.request_of` takes it.
        holds: What is so of the SQL after: `scans`, how often each table is read; `bounds`, the first and last moments
            of a time column that a scan is limited to; `row_by_row`, the sub-queries that are joined over time without
            having been aggregated.
        before: SQL of DuckDB, written by hand.
        after: SQL of the request's dialect.
    """

    title: str
    request: dict[str, Any]
    holds: dict[str, Any]
    before: str
    after: str

    @property
    def dialect(self) -> Any:
        return self.request.get("dialect", "duckdb")

    @property
    def text(self) -> str:
        """The case as it stands in a file."""
        given = "".join(f"-- {name}: {json.dumps(getattr(self, name))}\n" for name in ("request", "holds"))
        return f"-- title: {self.title}\n{given}-- before:\n{self.before};\n-- after:\n{self.after};\n"


def cases_in(path: Path) -> list[Case]:
    """The cases of one file."""
    found = []
    for block in path.read_text().split("-- title:")[1:]:
        title, request, holds, before, after = (part.strip() for part in _PARTS.split(block))
        halves = before.removesuffix(";"), after.removesuffix(";")
        found.append(Case(title, json.loads(request), json.loads(holds), *halves))
    return found


def rewrite(path: Path, case: Case, after: str) -> None:
    """Put what is compiled into a file as what is expected."""
    path.write_text("\n".join(c._replace(after=after).text if c == case else c.text for c in cases_in(path)))


ALL = [(path, case) for path in sorted(FOLDER.glob("*.sql")) for case in cases_in(path)]
IDS = [f"{path.stem}: {case.title}" for path, case in ALL]
