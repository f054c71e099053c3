"""The commands that tell about a project, on the shop's definitions; no Spark is started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import shop
from click.testing import CliRunner, Result

from penstock.cli import command_line
from penstock.manifest.load import load_manifest
from penstock.project import Project

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = load_manifest(shop.MANIFEST)


@pytest.fixture
def in_shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Project, "definitions", MANIFEST)
    monkeypatch.setattr(Project, "dbt_manifest", {})


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line(), words, catch_exceptions=False)


@pytest.mark.usefixtures("in_shop")
def test_a_whole_request_by_options() -> None:
    told = run(
        "compile", "--dialect", "duckdb",
        "--metrics", "revenue over 7 days as weekly, buyers share of total",
        "--group-by", "metric_time, Metric('order_count', group_by=['customer'])",
        "--subtotal", "metric_time",
        "--known-at", "2024-02-01",
        "--where", "{{ Dimension('customer__is_member') }}",
        "--order-by", "-metric_time", "--limit", "3",
    )  # fmt: skip
    cursor = shop.connection().execute(told.output)
    assert [d[0] for d in cursor.description] == [
        "metric_time__day",
        "customer__order_count",
        "customer__order_count__is_total",
        "weekly",
        "buyers__share_of_total",
    ]
    assert len(cursor.fetchall()) == 3
    assert "orders.paid_at < CAST('2024-02-01 00:00:00' AS TIMESTAMP)" in told.output


@pytest.mark.usefixtures("in_shop")
def test_a_saved_query_between_two_moments() -> None:
    told = run("compile", "--dialect", "duckdb", "--saved-query", "monthly", "--between", "2024-02-01", "2024-02-29")
    rows = shop.connection().execute(told.output).fetchall()
    assert {(row[0].year, row[0].month) for row in rows} == {(2024, 2)}


@pytest.mark.usefixtures("in_shop")
def test_explain_has_every_part() -> None:
    told = run("explain", "--metrics", "refund_rate", "--group-by", "customer__name", "--where", "customer = 10").output
    lines = told.splitlines()
    for title in ("grain", "metrics", "made of", "groups", "joins", "reads", "SQL"):
        assert title in lines
    assert "  shop.orders: where orders.customer_id = 10" in lines
    assert "  orders -customer-> customers: no fan-out: customer is the primary entity of customers" in told


@pytest.mark.usefixtures("in_shop")
def test_lists() -> None:
    assert "customer__region__region_name" in run("list", "dimensions", "--for", "revenue,refunded").output
    assert "order__is_gift" not in run("list", "dimensions", "--for", "revenue,refunded").output
    assert "order__is_gift" in run("list", "dimensions").output
    (first, *_) = json.loads(run("list", "dimensions", "--for", "revenue", "--json").output)
    assert (first["name"], first["kind"], first["grain"]) == ("metric_time", "time", "day")
    (told,) = json.loads(run("explain", "--metrics", "revenue", "--group-by", "customer__name", "--json").output)
    assert told["query"]["columns"] == ["customer__name", "revenue"]
    assert told["scans"][0] == {"table": "shop.orders", "filters": []}


def test_validate_tells_problems_and_fails(in_shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("validate").output == "no problems\n"
    monkeypatch.setattr(Project, "dbt_manifest", {"nodes": {"model.shop.customers": {
        "relation_name": "shop.customers", "contract": {"enforced": True},
        "columns": {c: {"name": c, "data_type": "int"} for c in ("customer_id", "full_name", "region_id")},
    }}})  # fmt: skip
    told = run("validate")
    assert told.exit_code == 1
    assert "semantic model customers, dimension name: unknown column 'name'\n  did you mean: full_name" in told.output
    assert told.output.endswith("3 problems\n")
    (problem, *_) = json.loads(run("validate", "--json").output)
    assert (problem["where"], problem["near"]) == ("semantic model customers, dimension name", ["full_name"])
