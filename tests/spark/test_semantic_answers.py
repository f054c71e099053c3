"""Spark's answers to the questions that DuckDB is asked, with ANSI mode on and off, and in another time zone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import shop
import sqlglot
from frames import shop_of
from naive import Shop, ordered, rows_of
from questions import QUESTIONS
from sql_cases import ALL, IDS

from penstock.manifest.load import load_manifest
from penstock.project import Project
from penstock.semantic import MetricRequest, compile_request
from penstock.semantic.batch import request_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

MANIFEST = load_manifest(shop.MANIFEST)
CON = shop.connection()
NAIVE = Shop(CON)


@pytest.fixture(scope="module")
def shop_session(spark: SparkSession) -> Iterator[SparkSession]:
    """A session of its own with the shop's tables, its settings free to change."""
    names = [name for (name,) in CON.execute("SELECT table_name FROM information_schema.tables").fetchall()]
    with shop_of(spark, CON, names) as session:
        yield session


@pytest.mark.parametrize("ansi", ["true", "false"])
def test_rows_are_those_of_the_naive_evaluator(shop_session: SparkSession, ansi: str) -> None:
    shop_session.conf.set("spark.sql.ansi.enabled", ansi)
    wrong = {}
    for title, question in QUESTIONS.items():
        got = shop_session.sql(compile_request(MANIFEST, question.request, "spark").sql).collect()
        if ordered(got) != question.expected(NAIVE):
            wrong[title] = (ordered(got), question.expected(NAIVE))
    assert not wrong


def test_rows_are_the_same_before_and_after(shop_session: SparkSession) -> None:
    shop_session.conf.set("spark.sql.ansi.enabled", "false")  # as dbt-spark has it
    wrong = {}
    for name, (_, case) in zip(IDS, ALL, strict=True):
        (before,) = sqlglot.transpile(case.before, read="duckdb", write="spark")
        after = compile_request(MANIFEST, request_of(case.request), "spark").sql
        found, expected = (ordered(shop_session.sql(sql).collect()) for sql in (after, before))
        if found != expected or not found:
            wrong[name] = (found, expected)
    assert not wrong


def test_files_out_of_reach_are_not_read(shop_session: SparkSession) -> None:
    table = "shop.orders_by_month"
    shop_session.sql(f"CREATE TABLE {table} USING DELTA AS SELECT * FROM shop.orders WHERE FALSE")
    ends = "SELECT MIN(ordered_at::DATE)::TEXT, MAX(ordered_at::DATE)::TEXT FROM shop.orders GROUP BY MONTH(ordered_at)"
    days: dict[str, tuple[str, str]] = {}  # the first and the last of each file
    for first, last in CON.sql(ends).fetchall():
        rows = f"SELECT /*+ COALESCE(1) */ * FROM shop.orders WHERE DATE(ordered_at) BETWEEN '{first}' AND '{last}'"
        shop_session.sql(f"INSERT INTO {table} {rows}")
        days |= dict.fromkeys(set(shop_session.table(table).inputFiles()) - days.keys(), (first, last))
    assert len(days) == 3
    for _, case in ALL:
        scans = case.holds.get("bounds", {}).get("orders.ordered_at", [])
        if scans:
            after = compile_request(MANIFEST, request_of(case.request), "spark").sql
            read = shop_session.sql(after.replace("shop.orders AS", f"{table} AS")).inputFiles()
            reached = {
                file
                for least, most in scans
                for file, (first, last) in days.items()
                if first < (most or "9") and last >= (least or "")
            }
            assert {file for file in read if file in days} == reached, case.title


def test_days_begin_where_the_session_is(shop_session: SparkSession) -> None:
    question = MetricRequest(("revenue", "buyers"), ("metric_time__day", "metric_time__week"))
    elsewhere = Shop(CON)
    elsewhere.tables["orders"] = [
        {**row, "ordered_at": row["ordered_at"] - timedelta(hours=5)} for row in elsewhere.tables["orders"]
    ]
    sql = compile_request(MANIFEST, question, "spark").sql
    # as text, since collect() would turn moments to the zone of this process
    shown = f"SELECT STRING(metric_time__day), STRING(metric_time__week), revenue, buyers FROM ({sql})"
    shop_session.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        got = [(a[:10], b[:10], *rest) for a, b, *rest in shop_session.sql(shown).collect()]
    finally:
        shop_session.conf.set("spark.sql.session.timeZone", "UTC")
    expected = rows_of(elsewhere.answer(("revenue", "buyers"), ("metric_time__day", "metric_time__week")))
    assert ordered(got) == expected
    assert expected != rows_of(NAIVE.answer(("revenue", "buyers"), ("metric_time__day", "metric_time__week")))


@pytest.mark.parametrize("sign", ["", "-"])
def test_null_comes_last_in_both_orders(shop_session: SparkSession, sign: str) -> None:
    request = MetricRequest(("revenue",), ("customer__name",), order_by=(f"{sign}customer__name",))
    names = [r[0] for r in shop_session.sql(compile_request(MANIFEST, request, "spark").sql).collect()]
    there = [n for n in names if n is not None]
    assert names == [*sorted(there, reverse=bool(sign)), None]


def test_a_project_answers_as_arrow_as_pandas_and_lazily(shop_session: SparkSession, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.__dict__ |= {"spark": shop_session, "definitions": MANIFEST, "dbt_manifest": {}}
    request = MetricRequest(("revenue", "buyers"), ("customer",), order_by=("customer",))
    expected = rows_of(NAIVE.answer(("revenue", "buyers"), ("customer",)))
    answer = project.query(request)
    assert ordered(row.values() for row in answer.to_pylist()) == expected
    assert list(answer.to_pandas().columns) == ["customer", "revenue", "buyers"]
    lazy = project.dataframe(request)
    assert ordered(lazy.where("revenue > 3").collect()) == [r for r in expected if r[1] is not None and r[1] > 3]
    assert project.versions(["shop.orders"]) == {"shop.orders": None}
    shop_session.sql("CREATE TABLE shop.delta_orders USING DELTA AS SELECT * FROM shop.orders")
    shop_session.sql("DELETE FROM shop.delta_orders WHERE order_id = 1")
    assert project.versions(["shop.delta_orders"]) == {"shop.delta_orders": 1}
    assert project.problems(keys=True) == []
    shop_session.sql("INSERT INTO shop.regions VALUES (1, 'again')")
    (problem,) = project.problems(keys=True)
    assert (problem.where, problem.what) == (
        "semantic model regions, entity region",
        "several rows for one region (1 times)",
    )
