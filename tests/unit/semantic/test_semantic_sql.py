"""Requests and the SQL expected for them, as data: each pair is compared as text, and run on DuckDB."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import shop

from penstock.manifest.load import load_manifest
from penstock.semantic import batch, compile_request

CASES = Path(__file__).parent / "sql"


class Case(NamedTuple):
    title: str
    request: dict[str, Any]
    sql: str


def cases_in(path: Path) -> list[Case]:
    """The cases of one file: blocks that begin with `-- title:` and `-- request:` lines."""
    found = []
    for block in path.read_text().split("-- title:")[1:]:
        title, rest = block.split("\n", 1)
        request, sql = rest.removeprefix("-- request:").split("\n", 1)
        found.append(Case(title.strip(), json.loads(request), sql.strip().removesuffix(";")))
    return found


ALL = [(path, case) for path in sorted(CASES.glob("*.sql")) for case in cases_in(path)]
MANIFEST = load_manifest(shop.MANIFEST)


@pytest.fixture(scope="module")
def con() -> Any:
    return shop.connection()


def test_there_are_cases() -> None:
    assert len(ALL) >= 12


@pytest.mark.parametrize(("path", "case"), ALL, ids=[f"{p.stem}: {c.title}" for p, c in ALL])
def test_sql_is_as_expected(path: Path, case: Case, con: Any) -> None:
    got = compile_request(MANIFEST, batch.request_of(case.request), case.request.get("dialect", "duckdb"))
    if os.environ.get(
        "PENSTOCK_WRITE_SQL"
    ):  # write what is compiled as what is expected; read the diff before a commit
        path.write_text(path.read_text().replace(case.sql, got.sql) if case.sql else path.read_text())
    assert got.sql == case.sql
    if case.request.get("dialect", "duckdb") == "duckdb":
        columns = [d[0] for d in con.execute(got.sql).description]
        assert tuple(columns) == got.columns
