"""Every question on DuckDB against the naive evaluator; tests/spark asks Spark the same."""

from __future__ import annotations

import pytest
import shop
from naive import Shop, ordered
from questions import QUESTIONS

from penstock.manifest.load import load_manifest
from penstock.semantic import MetricRequest, compile_request

MANIFEST = load_manifest(shop.MANIFEST)
CON = shop.connection()
NAIVE = Shop(CON)


@pytest.mark.parametrize("title", QUESTIONS)
def test_rows_are_those_of_the_naive_evaluator(title: str) -> None:
    question = QUESTIONS[title]
    got = CON.execute(compile_request(MANIFEST, question.request, "duckdb").sql).fetchall()
    assert ordered(got) == question.expected(NAIVE)


def test_of_no_rows_there_is_one_row_without_keys_and_none_with() -> None:
    con = shop.connection()
    for table in ("orders", "refunds", "visits", "balances"):
        con.execute(f"DELETE FROM shop.{table}")
    names = [m.name for m in MANIFEST.metrics.values() if not m.private and m.name not in shop.LOOKING_BACK]
    found = con.execute(compile_request(MANIFEST, MetricRequest(tuple(names)), "duckdb").sql).fetchall()
    zero = {"buyers", "gift_buyers", "refunded_or_0"}
    assert len(found) == 1
    assert {n for n, v in zip(names, found[0], strict=True) if v == 0} >= zero
    assert {n for n, v in zip(names, found[0], strict=True) if v is not None} <= {
        *zero,
        "buyers_30_days",
        "gifts",
        "net_twice",
    }
    grouped = compile_request(MANIFEST, MetricRequest(tuple(names), ("customer",)), "duckdb").sql
    assert con.execute(grouped).fetchall() == []


@pytest.mark.parametrize("sign", ["", "-"])
def test_null_comes_last_in_both_orders(sign: str) -> None:
    request = MetricRequest(("revenue",), ("customer__name",), order_by=(f"{sign}customer__name",))
    names = [r[0] for r in CON.execute(compile_request(MANIFEST, request, "duckdb").sql).fetchall()]
    there = [n for n in names if n is not None]
    assert names == [*sorted(there, reverse=bool(sign)), None]
