"""What macros and generic tests of performance ask of the compiler, on DuckDB and without dbt."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from dbt_common.exceptions import CompilationError

from dbt_penstock import jinja
from dbt_penstock.performance import ASKED, protected_columns, sql

CONNECTION = duckdb.connect()
CONNECTION.execute("""
CREATE TABLE scored AS
SELECT x AS id, TIMESTAMP '2026-01-01' AS at, (x % 10) / 10 AS p, (x * 7 % 10 < x % 10)::INT AS y,
       ['a', 'b'][1 + x % 2] AS kind, 1 + x % 3 AS w
FROM range(600) AS t (x)
""")
SCORES = {"score": "p", "label": "y", "weight": None, "by": []}
TYPES = {"id": "BIGINT", "kind": "VARCHAR", "p": "DOUBLE", "w": "BIGINT", "at": "TIMESTAMP"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "calibrated": {**SCORES, "max_ece": 0.01, "alpha": None, "by": "kind"},
    "labels_mature": {"at": "at", "label": "y", "horizon": "1 day", "at_least": 1},
    "performance": {**SCORES, "numbers": None, "weight": "w"},
    "proxies": {"protected": ["kind", "w"], "types": TYPES, "leave_out": "id", "bins": 5},
    "reliability": {**SCORES, "bins": 5},
    "slice_gap_at_most": {**SCORES, "slices": ["kind"], "metric": "accuracy", "at_most": 0},
    "slice_metric_at_least": {**SCORES, "slices": "kind", "metric": "auc", "at_least": 1, "min_rows": 10},
    "slices": {**SCORES, "slices": ["kind"], "numbers": True},
}  # fmt: skip


def asked(name: str, relation: str = "scored", **changes: Any) -> list[dict[str, Any]]:
    cursor = CONNECTION.execute(sql(name, relation, ARGUMENTS[name] | changes, "duckdb"))
    names = [each[0] for each in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.parametrize("name", sorted(ASKED))
def test_all_that_is_asked_has_an_answer(name: str) -> None:
    rows = asked(name)
    assert (rows == []) == (name == "labels_mature")


def test_a_test_with_a_where_is_on_a_query() -> None:
    relation = "(select * from scored where kind = 'a') dbt_subquery"
    assert {row["rows"] for row in asked("performance", relation)} == {300}
    assert asked("labels_mature", f"(select * replace (null as y) from {relation})")[0]["mature"] == 300


def test_numbers_and_texts_are_features_by_their_types() -> None:
    rows = asked("proxies")
    assert {(row["protected"], row["feature"]) for row in rows} == {("kind", "p"), ("w", "p")}


def test_tags_of_the_yaml() -> None:
    def columns(**metas: Any) -> dict[str, Any]:
        return {name: {"name": name, **given} for name, given in metas.items()}

    tag = {"penstock": {"protected": True}}
    graph = {
        "nodes": {
            "model.x.people": {
                "relation_name": "`lake`.`people`",
                "columns": columns(
                    sex={"config": {"meta": tag}}, age={"meta": tag}, town={"config": {"meta": {}}}, id={}
                ),
            },
            "model.x.other": {"relation_name": None, "columns": columns(secret={"meta": tag})},
        },
        "sources": {"source.x.raw": {"relation_name": "lake.raw", "columns": columns(sex={"meta": tag})}},
    }
    assert protected_columns("lake.people", graph) == ["sex", "age"]
    assert protected_columns("`lake`.`raw`", graph) == ["sex"]
    with pytest.raises(CompilationError, match="no column is tagged protected"):
        jinja.functions()["performance"]("proxies", "scored", {"protected": [], "types": {}}, "duckdb")


def test_what_is_not_said() -> None:
    with pytest.raises(CompilationError, match="which column has the label"):
        jinja.functions()["performance"]("performance", "scored", {"score": "p"}, "spark")
    with pytest.raises(CompilationError, match="unknown metric 'acuracy'"):
        jinja.functions()["performance"](
            "slice_gap_at_most", "scored", ARGUMENTS["slice_gap_at_most"] | {"metric": "acuracy"}, "spark"
        )
    with pytest.raises(CompilationError, match="dialect 'postgres'"):
        jinja.functions()["performance"]("performance", "scored", SCORES, "postgres")
