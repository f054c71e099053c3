"""What the data test `as_usual` asks of a warehouse, with a stand-in for dbt's `run_query`, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.exceptions import CompilationError, DbtRuntimeError

from dbt_penstock import generated_tests, jinja, usual

COLUMNS = [("Id", "bigint"), ("moment", "timestamp"), ("size", "int")]
GRAPH: dict[str, Any] = {
    "nodes": {"m": {"relation_name": "`lake`.`visits`", "columns": {"size": {"name": "size", "data_type": None}}}},
    "sources": {},
}


class Warehouse:
    """Answers what is asked, and remembers it."""

    def __init__(self, *, delta: bool = True, newest: int = 7, before: int | None = 5) -> None:
        self.delta, self.newest, self.before = delta, newest, before
        self.asked: list[str] = []

    def __call__(self, statement: str) -> Any:
        self.asked.append(statement)
        rows: list[dict[str, Any]] = []
        if statement.startswith("DESCRIBE DETAIL"):
            if not self.delta:
                raise DbtRuntimeError("it is a view")
            rows = [{"location": "file:/lake/it's", "format": "delta"}]
        elif "_delta_log" in statement:
            rows = [{"newest": self.newest, "before": self.before}]
        elif statement.startswith("DESCRIBE QUERY"):
            rows = [{"col_name": "id", "data_type": "bigint"}, {"col_name": "gone", "data_type": "date"}]
        return SimpleNamespace(rows=rows)


def sql(asked: dict[str, Any], warehouse: Warehouse | None = None, dialect: str = "spark") -> str:
    return jinja.functions()["as_usual"]("`lake`.`visits`", COLUMNS, asked, GRAPH, warehouse or Warehouse(), dialect)


def test_without_arguments_everything_is_checked_by_the_log() -> None:
    warehouse = Warehouse()
    query = sql(dict.fromkeys(usual.ARGUMENTS), warehouse)
    assert "`file:/lake/it's/_delta_log/*.json`" in query
    assert "'Id', 'moment', 'size'" in query
    for told in ("gone, was date", "new column, timestamp"):
        assert told in query
    assert "new column, int" not in query, "the YAML lists it"
    assert "DESCRIBE QUERY SELECT * FROM `lake`.`visits` VERSION AS OF 5" in warehouse.asked
    assert warehouse.asked[-1].startswith("RESET "), "the session is as it was"


@pytest.mark.parametrize("before", [7, None])
def test_a_table_without_an_older_version_has_not_changed(before: int | None) -> None:
    warehouse = Warehouse(before=before)
    assert "new column" not in sql({"checks": ["schema"]}, warehouse)
    assert not any(each.startswith(("SET", "DESCRIBE QUERY")) for each in warehouse.asked)


def test_a_view_with_a_time_is_checked_by_its_rows() -> None:
    query = sql({"time": "moment"}, Warehouse(delta=False))
    assert "_delta_log" not in query
    assert "'freshness'" not in query.replace("IN ('volume', 'freshness')", "")
    assert "'freshness' AS what" in sql({"time": "MOMENT", "within": "1 day"}, Warehouse(delta=False))
    assert sql({"time": "moment"}, dialect="duckdb").count("COUNT(") > 2


@pytest.mark.parametrize(
    ("asked", "delta", "told"),
    [
        ({}, False, "it is no Delta table, whose versions tell its columns"),
        ({"checks": ["volume"]}, False, "it is no Delta table, whose log tells its past"),
        ({"time": "momnt"}, True, "where: as_usual of `lake`.`visits`, time\n    did you mean: moment"),
        ({"columns": ["sise"]}, True, "unknown column 'sise'"),
        ({"columns": 5}, True, "columns is 5"),
        ({"season": "week"}, True, "season without time"),
        ({"check": "volume"}, True, "unknown argument 'check'\n    where: as_usual of `lake`.`visits`\n"),
        ({"checks": ["volume"], "within": "soon", "alpha": 3}, True, "alpha is 3"),
        ({"schema_window": "a while"}, True, "'a while' is no length of time"),
        ({"expected": [1]}, True, "expected is [1]"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told(asked: dict[str, Any], delta: bool, told: str) -> None:
    with pytest.raises(CompilationError) as error:
        sql(asked, Warehouse(delta=delta))
    assert told in str(error.value)


def test_columns_are_those_of_the_table_whatever_their_case() -> None:
    query = sql({"checks": ["nulls"], "columns": ["SIZE", "id", "Id"]})
    assert "'Id', 'size'" in query


def node(name: str, given: Any, kind: str = "model", materialized: str = "table") -> Any:
    config = SimpleNamespace(meta={"penstock": {"as_usual": given}}, materialized=materialized)
    return SimpleNamespace(
        name=name, resource_type=kind, package_name="p", config=config, original_file_path=f"models/{name}.sql",
        fqn=["p", name], database=None, schema="lake", unique_id=f"{kind}.p.{name}",
    )  # fmt: skip


def manifest(*nodes: Any) -> Any:
    macros = dict.fromkeys(["macro.penstock.as_usual", "macro.other.as_usual_too"])
    return SimpleNamespace(nodes={each.unique_id: each for each in nodes}, macros=macros)


def test_each_table_that_declares_it_gets_the_test() -> None:
    given = {"checks": ["volume"], "within": None, "as_of": "it's {{ 1 }}"}
    found = manifest(
        node("a", True), node("b", given, "seed", "seed"), node("v", True, materialized="view"), node("c", False),
        node("t", True, "test"),
    )  # fmt: skip
    assert generated_tests.add_usual(found)
    added = {each.name: each for each in found.nodes.values() if hasattr(each, "raw_code")}
    assert added.keys() == {"a_is_as_usual", "b_is_as_usual"}
    assert added["a_is_as_usual"].raw_code == "{{ penstock.as_usual(ref('p', 'a'), {}) }}"
    assert added["b_is_as_usual"].depends_on.macros == ["macro.penstock.as_usual"]
    from jinja2 import Environment

    shown = Environment().from_string(added["b_is_as_usual"].raw_code)
    asked = shown.render(ref=lambda *_: "b", penstock=SimpleNamespace(as_usual=lambda _, asked: str(asked)))
    assert asked == str({"checks": ["volume"], "as_of": "it's {{ 1 }}"})
    assert not generated_tests.add_usual(manifest(node("c", False)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("yes", "as_usual is 'yes'\n  where: models/a.sql: a, meta.penstock.as_usual"),
        (
            {"checs": []},
            "unknown argument 'checs'\n  where: models/a.sql: a, meta.penstock.as_usual\n  did you mean: checks",
        ),
    ],
)
def test_a_declaration_that_is_wrong_fails_the_parse(given: Any, told: str) -> None:
    with pytest.raises(DbtRuntimeError) as error:
        generated_tests.add_usual(manifest(node("a", given)))
    assert told in str(error.value).replace("\n    ", "\n  ")
