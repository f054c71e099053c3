"""Metric views in Spark: the same numbers as requests, in every session and mode."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from penstock.semantic import MetricRequest, compile_request

sys.path.append(str(Path(__file__).parents[1] / "unit" / "semantic"))

from measured_shop import MANIFEST, VIEWS
from shop import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

TABLES = ("days", "regions", "customers", "prices", "orders", "refunds", "visits", "balances")
GROUPS: dict[str, list[tuple[str, ...]]] = {
    "orders": [
        (),
        ("customer",),
        ("order",),
        ("customer__region__region_name", "metric_time__month"),
        ("product__band", "order__is_gift"),
        ("metric_time__week", "customer__is_member", "order__paid_at__quarter"),
    ],
    "refunds": [("customer__name",), ("metric_time__month", "customer__region")],
    "paid": [("metric_time__month",), ("product__band", "customer__joined_at__year")],
}


@pytest.fixture(scope="module")
def shop(spark: SparkSession) -> Iterator[SparkSession]:
    """A session with the shop's tables, and a metric view of each kind."""
    spark.sql("CREATE SCHEMA shop")
    con = connection()
    for table in TABLES:
        rows = con.sql(f"FROM shop.{table}").to_arrow_table()
        spark.createDataFrame(rows).write.saveAsTable(f"shop.{table}")
    for name, view in VIEWS.items():
        spark.sql(f"CREATE VIEW shop.{name}_metrics WITH METRICS LANGUAGE YAML AS $$\n{view.yaml}\n$$")
    yield spark
    spark.sql("DROP SCHEMA shop CASCADE")


def query(view: str, group_by: tuple[str, ...]) -> str:
    keys = [f"`{name}`" for name in group_by]
    columns = ", ".join([*keys, *(f"MEASURE({name}) AS {name}" for name in VIEWS[view].metrics)])
    return f"SELECT {columns} FROM shop.{view}_metrics" + (f" GROUP BY {', '.join(keys)}" if keys else "")


def by_key(session: SparkSession, sql: str, keys: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {tuple(row)[:keys]: tuple(row)[keys:] for row in session.sql(sql).collect()}


def same(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=1e-9)
    return bool(value == other) and type(value) is type(other)


@pytest.mark.parametrize(("view", "group_by"), [(view, keys) for view, each in GROUPS.items() for keys in each])
def test_measures_equal_the_metrics_of_a_request(shop: SparkSession, view: str, group_by: tuple[str, ...]) -> None:
    request = MetricRequest(VIEWS[view].metrics, group_by)
    expected = by_key(shop, compile_request(MANIFEST, request, "spark").sql, len(group_by))
    found = by_key(shop, query(view, group_by), len(group_by))
    assert found.keys() == expected.keys()
    for keys, values in found.items():
        wrong = [
            (metric, value, other)
            for metric, value, other in zip(VIEWS[view].metrics, values, expected[keys], strict=True)
            if not same(value, other)
        ]
        assert not wrong, keys


@pytest.mark.parametrize("ansi", ["true", "false"])
def test_a_view_is_the_same_in_another_session(shop: SparkSession, ansi: str) -> None:
    group_by = ("customer__region__region_name", "metric_time__month")
    other = shop.newSession()
    other.sql(f"SET spark.sql.ansi.enabled = {ansi}")
    assert other.catalog.currentDatabase() != "shop"
    assert by_key(other, query("orders", group_by), 2) == by_key(shop, query("orders", group_by), 2)


@pytest.mark.parametrize(
    ("columns", "tables"),
    [
        ("order__is_gift, MEASURE(revenue)", {"orders"}),
        ("customer__name, MEASURE(revenue)", {"orders", "customers"}),
        ("customer__region__region_name, MEASURE(revenue)", {"orders", "customers", "regions"}),
        ("order__is_gift, MEASURE(member_revenue)", {"orders", "customers"}),
    ],
)
def test_a_query_reads_the_tables_that_it_uses(shop: SparkSession, columns: str, tables: set[str]) -> None:
    plan = shop.sql(f"EXPLAIN SELECT {columns} FROM shop.orders_metrics GROUP BY 1").collect()[0][0]
    # prices are valid for a time, so that Spark can't know that one row is joined
    assert set(re.findall(r"FileScan parquet spark_catalog\.shop\.(\w+)", plan)) == tables | {"prices"}


def test_a_client_sees_the_columns(shop: SparkSession) -> None:
    columns = [row["col_name"] for row in shop.newSession().sql("DESCRIBE TABLE shop.paid_metrics").collect()]
    assert columns == [*VIEWS["paid"].dimensions, *VIEWS["paid"].metrics]
