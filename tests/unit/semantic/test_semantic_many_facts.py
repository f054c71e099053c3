"""Metrics of more facts and shifts than one union holds: each has the values that it has alone."""

from __future__ import annotations

from typing import Any

import pytest
import shop
import sqlglot

from penstock.manifest.load import load_manifest
from penstock.semantic import Dialect, MetricRequest, compile_request

MANIFEST = load_manifest(shop.MANIFEST)
METRICS = (
    "revenue", "refunded", "visits", "last_balance", "paid_revenue", "revenue_7_days", "buyers_30_days",
    "revenue_month_to_date", "revenue_mom", "buyers_yesterday", "gifts_7_days", "revenue_to_date",
)  # fmt: skip


def values(metrics: tuple[str, ...], dialect: Dialect) -> list[tuple[Any, ...]]:
    """The rows by day and customer; Spark's SQL is translated, so that no JVM is needed."""
    query = compile_request(MANIFEST, MetricRequest(metrics, ("metric_time__day", "customer")), dialect)
    sql = sqlglot.transpile(query.sql, read="spark", write="duckdb")[0] if dialect == "spark" else query.sql
    return shop.connection().execute(sql).fetchall()


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_each_has_the_values_that_it_has_alone(dialect: Dialect) -> None:
    together = values(METRICS, dialect)
    keys = [row[:2] for row in together]
    assert len(keys) == len(set(keys))
    for place, metric in enumerate(METRICS, start=2):
        alone = {row[:2]: row[2] for row in values((metric,), dialect) if row[2] is not None}
        assert {row[:2]: row[place] for row in together if row[place] is not None} == alone


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_the_sql_does_not_grow_with_their_square(dialect: Dialect) -> None:
    facts = [m | {"name": f"{m['name']}_{i}"} for i in range(64) for m in shop.MANIFEST["semantic_models"]]
    sizes = {}
    for count in (16, 64):
        metrics = [shop._simple(f"refunded_{i}", f"refunds_{i}", "sum", "amount") for i in range(count)]
        manifest = load_manifest(shop.MANIFEST | {"semantic_models": shop.MANIFEST["semantic_models"] + facts,
                                                  "metrics": metrics})  # fmt: skip
        request = MetricRequest(tuple(m["name"] for m in metrics), ("metric_time__day",))
        sizes[count] = len(compile_request(manifest, request, dialect).sql)
    assert sizes[64] / sizes[16] < 4 * 1.4
