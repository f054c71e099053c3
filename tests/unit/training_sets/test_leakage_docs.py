"""The examples of docs/leakage.md."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import yaml

from penstock.manifest.model import Dimension, Entity, Relation, SemanticManifest, SemanticModel
from penstock.training_sets.no_leakage import LeakageTest
from penstock.training_sets.static_check import check_sql

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "leakage.md").read_text()
TYPES = {"id": "INT", "carrier": "TEXT", "delay": "INT"}


def _table(first_line: str) -> list[dict[str, str]]:
    lines = PAGE[PAGE.index(first_line) :].split("\n\n", 1)[0].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [dict(zip(head, row, strict=True)) for row in rows]


def _manifest() -> SemanticManifest:
    flights = SemanticModel(
        "flights",
        Relation("flights", "flights", ""),
        entities=(Entity("flight", "primary", "id"), Entity("carrier", "foreign", "carrier")),
        dimensions=(Dimension("departed_at", "time", "departed_at", grain="second"),),
        time_dimension="departed_at",
        meta={"penstock": {"known_at": "landed_at"}},
    )
    return SemanticManifest(models={"flights": flights}, metrics={})


def test_the_example_of_no_leakage() -> None:
    connection = duckdb.connect()
    for name, first_line in (("flights", "| id | carrier | departed_at |"), ("labels", "| id | carrier | at |\n")):
        rows = _table(first_line)
        columns = ", ".join(f'"{column}" {TYPES.get(column, "TIMESTAMP")}' for column in rows[0])
        connection.execute(f"CREATE TABLE {name} ({columns})")
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", [tuple(row.values()) for row in rows])
    (sql,) = re.findall(r"```sql by hand\n(.*?)```", PAGE, re.DOTALL)
    connection.execute(f"CREATE TABLE built AS {sql}")
    test = LeakageTest(_manifest(), sql, "at", ("id",), ("labels",), dialect="duckdb")
    columns = {
        table: {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
        for table in ("flights", "built")
    }
    cuts = [cut for (cut,) in connection.execute(test.cut_times("built", 3)).fetchall()]
    found = connection.execute(test.statement(columns["built"], {"flights": columns["flights"]}, cuts))
    names = [d[0] for d in found.description]
    shown = [{n: str(v).removesuffix(":00") for n, v in zip(names, r, strict=True)} for r in found.fetchall()]
    wanted = _table("| cut | future |")
    assert sorted(shown, key=lambda row: row["future"]) == sorted(wanted, key=lambda row: row["future"])


@pytest.mark.parametrize("row", _table("| kind | for instance |"), ids=lambda row: row["for instance"])
def test_the_examples_of_point_in_time_sql(row: dict[str, str]) -> None:
    found = check_sql(row["for instance"].strip("`"), _manifest())
    assert row["kind"].strip("`") in {f.kind for f in found}


def test_the_tests_are_there_with_these_arguments() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    used: dict[str, set[str]] = {}
    for model in yaml.safe_load(text)["models"]:
        for test in model["data_tests"]:
            name, given = (test, {}) if isinstance(test, str) else next(iter(test.items()))
            used.setdefault(name, set()).update(given.get("arguments", {}))
    listed = {row["test"].strip("`") for row in _table("| test | red when |")}
    assert set(used) == listed
    for name, arguments in used.items():
        text = (ROOT / "tests" / "data" / "generic" / f"{name.removeprefix('penstock.')}.sql").read_text()
        (signature,) = re.findall(r"{% test \w+\((.*?)\) %}", text)
        assert arguments <= {part.split("=")[0].strip() for part in signature.split(",")}
