"""Requests that no person would make: SQL in every string, wrong types, absurd sizes. Refused, or harmless."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import shop
import sqlglot
from sqlglot import exp

from penstock.errors import PenstockError
from penstock.manifest.load import load_manifest
from penstock.semantic import GroupBy, MetricName, MetricRequest, OrderBy, compile_request

MANIFEST = load_manifest(shop.MANIFEST)
SQL = 'x") FROM shop.orders; DROP TABLE shop.orders; --'
DIALECTS: Any = ("duckdb", "spark")

REFUSED = {
    "metric": MetricRequest((SQL,)),
    "metric's name": MetricRequest((MetricName(SQL),)),
    "group": MetricRequest(("revenue",), (SQL,)),
    "group's name": MetricRequest(("revenue",), (GroupBy(SQL),)),
    "group's grain": MetricRequest(("revenue",), (GroupBy("metric_time", grain=SQL),)),
    "group's date part": MetricRequest(("revenue",), (GroupBy("metric_time", date_part=SQL),)),
    "an unknown date part": MetricRequest(("revenue",), ("metric_time__extract_foo",)),
    "order": MetricRequest(("revenue",), order_by=(SQL,)),
    "order's grain": MetricRequest(("revenue",), ("metric_time",), order_by=(OrderBy("metric_time", grain=SQL),)),
    "order's date part": MetricRequest(("revenue",), ("metric_time",), order_by=(OrderBy("metric_time", None, SQL),)),
    "time": MetricRequest(("revenue",), time_constraint=(SQL, "2024-01-01")),
    "saved query": MetricRequest(saved_query=SQL),
    "filter": MetricRequest(("revenue",), where=(SQL,)),
    "limit as text": MetricRequest(("revenue",), limit="5; DROP TABLE x"),  # type: ignore[arg-type]
    "limit as fraction": MetricRequest(("revenue",), limit=1.5),  # type: ignore[arg-type]
    "limit as boolean": MetricRequest(("revenue",), limit=True),
    "limit beyond an INT": MetricRequest(("revenue",), limit=2**31),
    "one moment": MetricRequest(("revenue",), time_constraint=("2024-01-01",)),  # type: ignore[arg-type]
    "numbers for moments": MetricRequest(("revenue",), time_constraint=(1, 2)),  # type: ignore[arg-type]
    "the end of the calendar": MetricRequest(("revenue",), time_constraint=("9999-12-31", "9999-12-31")),
    "a moment with a zone": MetricRequest(("revenue",), time_constraint=("2024-01-01T00:00+05:00", "2024-02-01")),
    "metrics as one text": MetricRequest("revenue"),  # type: ignore[arg-type]
    "groups as one text": MetricRequest(("revenue",), "customer"),  # type: ignore[arg-type]
    "filters as one text": MetricRequest(("revenue",), where="1 = 1"),  # type: ignore[arg-type]
    "a number for a metric": MetricRequest((1,)),  # type: ignore[arg-type]
    "a number for a filter": MetricRequest(("revenue",), where=(1,)),  # type: ignore[arg-type]
    "an empty name": MetricRequest(("",)),
    "an empty alias": MetricRequest((MetricName("revenue", " "),)),
    "an alias over two lines": MetricRequest((MetricName("revenue", "a\nb"),)),
    "NUL": MetricRequest(("revenue",), where=("{{ Dimension('customer__name') }} = 'a\0b'",)),
    "two names for one key": MetricRequest(("revenue",), (GroupBy("customer", alias="a"), GroupBy("customer"))),
    "many metrics": MetricRequest(tuple(MetricName("revenue", f"r{i}") for i in range(2000))),
    "many filters": MetricRequest(("revenue",), where=("1 = 1",) * 2000),
    "a long name": MetricRequest(("r" * 10_000_000,)),
    "a long path": MetricRequest(("revenue",), ("__".join(["customer"] * 2000),)),
    "a long filter": MetricRequest(("revenue",), where=("1 = 1 AND " * 5000 + "1 = 1",)),
    "parentheses": MetricRequest(("revenue",), where=("(" * 9000 + "1 = 1" + ")" * 9000,)),
    "negations": MetricRequest(("revenue",), where=("NOT " * 4000 + "1 = 1",)),
    "cases": MetricRequest(("revenue",), where=("CASE WHEN 1 = 1 THEN " * 600 + "1 = 1" + " END" * 600,)),
    "calls": MetricRequest(("revenue",), ("Dimension('x')" + ".grain('day')" * 1000,)),
    "lists": MetricRequest(("revenue",), where=("{{ Dimension(" + "[" * 5000 + "'x'" + "]" * 5000 + ") }} = 1",)),
}


@pytest.mark.parametrize("title", REFUSED)
def test_it_is_refused_in_few_words(title: str) -> None:
    with pytest.raises(PenstockError) as refused:
        compile_request(MANIFEST, REFUSED[title], "duckdb")
    assert len(str(refused.value)) < 2_000
    assert refused.value.where


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", [SQL, "a`b; DROP TABLE c", "a'b", 'a"b', "a\\", "/* a", "{{ a }}", "ünïcode 🙂"])
def test_what_is_only_a_name_stays_one(text: str, dialect: Any) -> None:
    request = MetricRequest((MetricName("revenue", text),), (GroupBy("customer", alias=f"{text}!"),))
    sql = compile_request(MANIFEST, request, dialect).sql
    (statement,) = sqlglot.parse(sql, read=dialect)
    assert isinstance(statement, exp.Select)
    assert [e.alias for e in statement.expressions] == [f"{text}!", text]
    assert [t.sql() for t in statement.find_all(exp.Table)] == ["shop.orders AS orders"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_only_a_value_stays_one(dialect: Any) -> None:
    for value in ("x' OR 1=1 --", "\\' OR 1=1 --", "\\\\' --", "a\nb"):
        written = value.replace("\\", "\\\\").replace("'", "\\'")  # as Spark's SQL has it
        where = "{{ Dimension('customer__name') }} = '" + written + "'"
        sql = compile_request(MANIFEST, MetricRequest(("revenue",), where=(where,)), dialect).sql
        (statement,) = sqlglot.parse(sql, read=dialect)
        assert statement is not None
        assert [n.name for n in statement.find_all(exp.Literal)] == [value]


def test_a_cycle_and_a_tower_of_metrics() -> None:
    raw = copy.deepcopy(shop.MANIFEST)
    ring = {"type": "derived", "description": None, "filter": None, "label": None}
    for name, of in (("a", "b"), ("b", "c"), ("c", "a")):
        raw["metrics"].append({**ring, "name": name, "type_params": {"expr": of, "metrics": [{"name": of}]}})
    for i in range(1200):
        of = f"floor_{i - 1}" if i else "revenue"
        raw["metrics"].append({**ring, "name": f"floor_{i}", "type_params": {"expr": of, "metrics": [{"name": of}]}})
    manifest = load_manifest(raw)
    with pytest.raises(PenstockError, match="made of itself") as refused:
        compile_request(manifest, MetricRequest(("b",)), "duckdb")
    assert "b -> c -> a -> b" in str(refused.value)
    with pytest.raises(PenstockError, match="nested too deeply"):
        compile_request(manifest, MetricRequest(("floor_1199",)), "duckdb")
    assert compile_request(manifest, MetricRequest(("floor_40",)), "duckdb").columns == ("floor_40",)
