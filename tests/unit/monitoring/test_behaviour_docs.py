"""The examples of docs/behaviour.md; and what its data tests ask of the compiler, on DuckDB and without dbt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from dbt_common.exceptions import CompilationError

from dbt_penstock import jinja
from penstock.monitoring.behaviour.definition import KINDS
from penstock.monitoring.behaviour.results import BEHAVIOUR
from penstock.monitoring.gates.definition import parse_gate

ROOT = Path(__file__).parents[3]
of_behaviour = jinja.functions()["behaviour"]
PAGE = (ROOT / "docs" / "behaviour.md").read_text()
IN_GATE, IN_TESTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def table(header: str) -> list[list[str]]:
    _, _, *rows = PAGE[PAGE.index(header) :].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_python_of_the_page() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE scored (town TEXT, twin INT, p DOUBLE)")
    con.executemany("INSERT INTO scored VALUES (?, ?, ?)", table("| town | twin | p |"))
    names: dict[str, Any] = {}
    [python] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(python, names)
    header = "| name | value | low | high | bound | rows | unjudged | passed |"
    columns = ", ".join(cell.strip() for cell in header.strip("|").split("|"))
    found = con.execute(f"SELECT {columns} FROM ({names['query'].sql('duckdb')})").fetchall()
    assert [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in found] == table(header)


def test_the_gate_of_the_page_is_one_and_each_key_is_told_of() -> None:
    gate = parse_gate(yaml.safe_load(IN_GATE)["gate"], model="arrival_delay", where="docs/behaviour.md")
    assert {each.kind for each in gate.behaviour} == set(KINDS)
    assert [each.name for each in gate.behaviour][:2] == ["stable_under_distance", "later hours are later"]
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert told >= {key for each in gate.behaviour for key in vars(each)} - {"kind"}
    assert told >= {each.name for each in BEHAVIOUR.columns} - {"result_id", "unseen_since"}


def test_the_tests_of_the_page_are_those_of_the_package() -> None:
    [model] = yaml.safe_load(IN_TESTS)["models"]
    tests = [*model["data_tests"], *model["columns"][0]["data_tests"]]
    for test in tests:
        [(name, given)] = test.items()
        kind = name.removeprefix("penstock.")
        macro = (ROOT / "tests/data/generic" / f"{kind}.sql").read_text()
        [signature] = re.findall(r"\{% test \w+\((.*?)\) %\}", macro, re.DOTALL)
        assert given["arguments"].keys() <= set(re.findall(r"\w+(?==|,|$|\s)", signature))
        asked = given["arguments"] | ({} if "predict" in given["arguments"] else {"score": "p_late"})
        assert of_behaviour(kind, "flights", asked, "spark").startswith("SELECT")
    assert {name.removeprefix("penstock.") for test in tests for name in test} == set(KINDS)


def test_a_model_scores_rows_as_they_are_and_as_they_are_changed() -> None:
    sql = of_behaviour("stable_under", "flights", {"predict": "it's", "change": {"miles": "miles + 1"}}, "spark")
    assert sql.count("PREDICT('it\\'s', *)") + sql.count("predict('it\\'s', *)") == 2
    assert "EXCEPT (`miles`)" in sql


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("stable_under", {"second": "q"}, "whose scores"),
        ("stable_under", {"score": "p", "predict": "m", "second": "q"}, "a column and a model are given"),
        ("stable_under", {"score": "p", "change": {"a": "a + 1"}}, "stays what it is"),
        ("symmetric_pairs", {"score": "p", "second": "q", "pair": "t", "within": 1}, "change and pair are given"),
        ("stable_under", {"score": "p", "secnd": "q"}, "unknown key 'secnd'"),
        ("long_tail_at_least", {"score": "p", "entity": "t", "rare_below": 3, "at_least": 0.5}, "what came true"),
    ],
)
def test_what_makes_no_sense_is_told(kind: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(CompilationError, match=said):
        of_behaviour(kind, "flights", given, "duckdb")


def test_a_data_test_fails_with_the_row_of_the_check() -> None:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE t AS SELECT x AS id, x / 10 AS p, x / 10 + 0.1 * (x = 3)::INT AS q FROM range(10) AS r (x)"
    )

    def rows(**given: Any) -> list[Any]:
        asked = {"score": "p", "second": "q", "within": 0.05, "min_rows": None} | given
        return con.execute(of_behaviour("stable_under", "(select * from t) dbt_subquery", asked, "duckdb")).fetchall()

    [row] = rows()
    assert row[:3] == ("stable_under", "stable_under", 0.1)
    assert rows(max_share=0.1) == rows(within=0.2) == []
