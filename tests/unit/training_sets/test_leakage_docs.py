"""The examples of docs/leakage.md."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import yaml
from doc_pages import create, flights, table

from penstock.training_sets.leakage.no_leakage import LeakageTest
from penstock.training_sets.leakage.static_check import check_sql

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "leakage.md").read_text()


def test_the_example_of_no_leakage() -> None:
    connection = duckdb.connect()
    for name, first_line in (("flights", "| id | carrier | departed_at |"), ("labels", "| id | carrier | at |\n")):
        create(connection, name, table(PAGE, first_line))
    (sql,) = re.findall(r"```sql by hand\n(.*?)```", PAGE, re.DOTALL)
    connection.execute(f"CREATE TABLE built AS {sql}")
    test = LeakageTest(flights(), sql, "at", ("id",), ("labels",), dialect="duckdb")
    columns = {
        relation: {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {relation}").fetchall()}
        for relation in ("flights", "built")
    }
    cuts = [cut for (cut,) in connection.execute(test.cut_times("built", 3)).fetchall()]
    found = connection.execute(test.statement(columns["built"], {"flights": columns["flights"]}, cuts))
    names = [d[0] for d in found.description]
    shown = [{n: str(v).removesuffix(":00") for n, v in zip(names, r, strict=True)} for r in found.fetchall()]
    wanted = table(PAGE, "| cut | future |")
    assert sorted(shown, key=lambda row: row["future"]) == sorted(wanted, key=lambda row: row["future"])


@pytest.mark.parametrize("row", table(PAGE, "| kind | for instance |"), ids=lambda row: row["for instance"])
def test_the_examples_of_point_in_time_sql(row: dict[str, str]) -> None:
    found = check_sql(row["for instance"].strip("`"), flights())
    assert row["kind"].strip("`") in {f.kind for f in found}


def test_the_tests_are_there_with_these_arguments() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    used: dict[str, set[str]] = {}
    for model in yaml.safe_load(text)["models"]:
        for test in model["data_tests"]:
            name, given = (test, {}) if isinstance(test, str) else next(iter(test.items()))
            used.setdefault(name, set()).update(given.get("arguments", {}))
    listed = {row["test"].strip("`") for row in table(PAGE, "| test | red when |")}
    assert set(used) == listed
    for name, arguments in used.items():
        text = (ROOT / "tests" / "data" / "generic" / f"{name.removeprefix('penstock.')}.sql").read_text()
        (signature,) = re.findall(r"{% test \w+\((.*?)\) %}", text)
        assert arguments <= {part.split("=")[0].strip() for part in signature.split(",")}
