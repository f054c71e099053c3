"""Requests and their SQL, as data: each pair is compared as text, held to the laws of the SQL, and run on DuckDB."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import laws
import pytest
import shop
import sqlglot
from naive import ordered
from sql_cases import ALL, IDS, Case, rewrite

from penstock.manifest.load import load_manifest
from penstock.semantic import batch, compile_request

MANIFEST = load_manifest(shop.MANIFEST)


@pytest.fixture(scope="module")
def con() -> Any:
    return shop.connection()


def compiled(case: Case, dialect: Any) -> Any:
    return compile_request(MANIFEST, batch.request_of(case.request), dialect)


def test_there_are_cases_of_each_law() -> None:
    files = Counter(path.stem for path, _ in ALL)
    laws_of = ("one_scan", "projections", "combine", "cumulative", "offset", "conversion", "reach", "unused")
    assert all(files[law] > 1 for law in laws_of), files


@pytest.mark.parametrize(("path", "case"), ALL, ids=IDS)
def test_sql_is_as_expected(path: Path, case: Case) -> None:
    after = compiled(case, case.dialect).sql
    if os.environ.get("PENSTOCK_WRITE_SQL"):  # read the diff before a commit
        rewrite(path, case, after)
    else:
        assert after == case.after


@pytest.mark.parametrize(("path", "case"), ALL, ids=IDS)
def test_rows_are_the_same_before_and_after(path: Path, case: Case, con: Any) -> None:
    after = compiled(case, "duckdb")
    got = con.execute(after.sql)
    assert tuple(d[0] for d in got.description) == after.columns
    found = got.fetchall()
    assert found
    assert ordered(found) == ordered(con.execute(case.before).fetchall())


@pytest.mark.parametrize(("path", "case"), ALL, ids=IDS)
def test_sql_holds_to_the_laws(path: Path, case: Case, con: Any) -> None:
    tree = sqlglot.parse_one(compiled(case, "duckdb").sql, read="duckdb")
    assert laws.scans(tree) == case.holds["scans"]
    for column, expected in case.holds.get("bounds", {}).items():
        assert [[str(end)[:10] if end else None for end in ends] for ends in laws.bounds(tree, column, con)] == expected
    assert laws.unused_columns(tree) == laws.unused_joins(tree) == laws.repeated_aggregates(tree) == []
    assert laws.joined_row_by_row(tree) == case.holds.get("row_by_row", [])
    # the values of a join without metrics are those of both of its sides
    assert laws.full_joins(tree) == 0 or not case.request.get("metrics")
