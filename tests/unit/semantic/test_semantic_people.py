"""What tells people about a project: explain, validate, the checks of keys, and what may be asked together."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import shop

from penstock.errors import UnknownNameError
from penstock.manifest.load import load_manifest
from penstock.semantic import GroupBy, MetricRequest, compile_request
from penstock.semantic.explain import Scan, explain
from penstock.semantic.key_checks import key_checks
from penstock.semantic.listing import dimensions_for
from penstock.semantic.validate import validate

MANIFEST = load_manifest(shop.MANIFEST)


def test_an_explanation_tells_formulas_parts_joins_and_scans() -> None:
    request = MetricRequest(
        ("refund_rate", "revenue over 7 days", "revenue share of total"),
        ("metric_time__month", "customer__region__region_name", GroupBy("order_count", of=("customer",))),
        where=("{{ Dimension('customer__is_member') }}", "{{ TimeDimension('metric_time', 'day') }} > '2024-01-01'"),
    )
    told = explain(MANIFEST, request, "duckdb")
    assert told.query == compile_request(MANIFEST, request, "duckdb")
    assert told.metrics["refund_rate"] == "CAST(refunded AS DOUBLE) / CAST(NULLIF(revenue, 0) AS DOUBLE)"
    assert "revenue__total" in told.metrics["revenue__share_of_total"]
    assert told.parts["refunded"].startswith("sum of amount over the rows of refunds, by refunded_at, where {{ Dim")
    assert "of the 7 days that end with each moment" in told.parts["revenue_2"]
    assert told.parts["revenue, of the whole"].startswith("sum of amount over the rows of orders")
    assert told.keys["customer__order_count"] == "order_count of each customer"
    assert told.keys["customer__region__region_name"] == (
        "region_name of regions, reached by refunds -customer-> customers -region-> regions"
    )
    path = "orders -customer-> customers -region-> regions"
    assert told.joins[path] == "no fan-out: region is the primary entity of regions, so at most one row"
    assert Scan("shop.refunds", ("refunds.refunded_at >= CAST('2024-01-02' AS TIMESTAMP)",)) in told.scans
    assert Scan("shop.customers", ("customers.is_member",)) in told.scans
    assert {s.table for s in told.scans} == set(told.query.relations)


def test_an_explanation_of_history_and_of_conversions() -> None:
    told = explain(MANIFEST, MetricRequest(("visit_to_order",), ("metric_time", "customer__name")), "spark")
    assert told.parts["order_count"] == (
        "sum of CASE WHEN order_id IS NOT NULL THEN 1 ELSE 0 END over the rows of orders, each credited to the last "
        "row of visits at most 7 days before it of the same customer"
    )
    history = explain(MANIFEST, MetricRequest(("revenue",), ("product__band",)), "spark")
    verdict = "no fan-out: one row of prices for a product at a moment, by valid_from and valid_to"
    assert history.joins == {"orders -product-> prices": verdict}
    many = explain(MANIFEST, MetricRequest(("refunded",), ("customer__orders__is_gift",)), "spark")
    assert many.joins["refunds -customer-> orders"].startswith("fan-out made right: orders has many rows for one cust")
    assert explain(MANIFEST, MetricRequest((), ("customer__name",)), "spark").metrics == {}


def test_what_several_metrics_have_in_common() -> None:
    found = {d.name: d for d in dimensions_for(MANIFEST, ("refund_rate", "Visits"))}
    assert list(found) == [
        "metric_time", "customer", "customer__region", "customer__name", "customer__is_member", "customer__joined_at",
        "customer__region__region_name",
    ]  # fmt: skip
    assert (found["customer__joined_at"].kind, found["customer__joined_at"].grain) == ("time", "day")
    for name in found:
        assert compile_request(MANIFEST, MetricRequest(("refund_rate", "visits"), (name,)), "duckdb").sql
    assert "order__is_gift" in {d.name for d in dimensions_for(MANIFEST, ("revenue",))}
    assert "price__band" in {d.name for d in dimensions_for(MANIFEST)}
    with pytest.raises(UnknownNameError, match="revenu"):
        dimensions_for(MANIFEST, ("revenu",))


def _broken(change: Any) -> list[str]:
    raw = copy.deepcopy(shop.MANIFEST)
    by_name = {part["name"]: part for kind in ("metrics", "saved_queries", "semantic_models") for part in raw[kind]}
    change(raw, by_name)
    columns = {"shop.customers": ["customer_id", "name", "is_member", "region_id", "joined_at"]}
    return [f"{p.where}: {p.what} {p.near} {p.fix}" for p in validate(load_manifest(raw), columns)]


def test_a_sound_project_has_no_problems() -> None:
    assert _broken(lambda raw, named: None) == []


BREAKS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a missing column": (
        lambda raw, named: named["customers"]["dimensions"][0].update(expr="nmae"),
        ("semantic model customers, dimension name: unknown column 'nmae'", "'name'"),
    ),
    "an expression that is none": (
        lambda raw, named: named["orders"]["dimensions"][2].update(expr="is_gift ="),
        ("semantic model orders, dimension is_gift: ", "no SQL expression"),
    ),
    "no time axis": (
        lambda raw, named: named["refunds"].pop("defaults"),
        ("metric refunded: it has no time axis", "give it `agg_time_dimension`, or refunds a default one"),
    ),
    "a time axis that is not there": (
        lambda raw, named: named["refunds"].update(defaults={"agg_time_dimension": "refund_at"}),
        ("semantic model refunds, agg_time_dimension: there is no dimension 'refund_at'", "'refunded_at'"),
    ),
    "a missing column by which rows are versions": (
        lambda raw, named: named["customers"].update(
            config={"meta": {"penstock": {"known_at": "joined_at", "version_of": ["region_id", "custmer_id"]}}}
        ),
        ("semantic model customers, version_of: unknown column 'custmer_id'", "'customer_id'"),
    ),
    "a missing column of when rows are known": (
        lambda raw, named: named["customers"].update(config={"meta": {"penstock": {"known_at": "joined"}}}),
        ("semantic model customers, known_at: unknown column 'joined'", "'joined_at'"),
    ),
    "versions of timeless rows": (
        lambda raw, named: named["customers"].update(
            config={"meta": {"penstock": {"known_at": "always", "version_of": "customer_id"}}}
        ),
        ("semantic model customers: version_of tells which row was known last",),
    ),
    "an unreachable dimension": (
        lambda raw, named: named["member_revenue"].update(
            filter={"where_filters": [{"where_sql_template": "{{ Dimension('visit__channel') }} = 'ad'"}]}
        ),
        ("metric member_revenue", "unknown dimension or entity 'visit__channel'"),
    ),
    "a wrong grain": (
        lambda raw, named: named["revenue"].update(time_granularity="hour"),
        (
            "metric revenue: its time_granularity is hour, and its time is kept by day",
            "use day",
        ),
    ),
    "a saved query's item": (
        lambda raw, named: named["monthly"]["query_params"].update(group_by=["Dimension('customer__nam')"]),
        ("saved query monthly", "customer__nam", "'customer__name'"),
    ),
    "dimensions without a name": (
        lambda raw, named: named["visits"].pop("primary_entity"),
        ("semantic model visits: it has no primary entity",),
    ),
    "several valid rows": (
        lambda raw, named: [d["type_params"].pop("validity_params", 0) for d in named["prices"]["dimensions"][:2]],
        ("semantic model prices, entity product: a natural entity has several rows",),
    ),
    "a cycle": (
        lambda raw, named: named["net_twice"]["type_params"].update(metrics=[{"name": "net_twice"}]),
        ("metric net_twice: net_twice -> net_twice: the metric 'net_twice' is made of itself",),
    ),
}


@pytest.mark.parametrize("title", BREAKS)
def test_what_would_fail_is_found_with_its_place(title: str) -> None:
    change, words = BREAKS[title]
    problems = _broken(change)
    assert any(all(w in problem for w in words) for problem in problems), problems


def test_a_tower_of_metrics_is_a_problem_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(*_: Any) -> str:
        raise RecursionError

    monkeypatch.setattr("penstock.semantic.validate.time_grain", too_deep)
    assert {p.what for p in validate(MANIFEST)} == {"its metrics are nested too deeply to be compiled"}


def test_keys_that_do_not_hold_are_counted() -> None:
    con = shop.connection()
    sql = key_checks(MANIFEST, "duckdb")
    assert con.execute(sql).fetchall() == []
    con.execute("INSERT INTO shop.customers VALUES (10, 'ann', TRUE, 1, NULL), (11, 'bob', TRUE, 1, NULL)")
    con.execute("INSERT INTO shop.customers VALUES (NULL, 'x', TRUE, 1, NULL), (NULL, 'y', TRUE, 1, NULL)")
    con.execute("INSERT INTO shop.prices VALUES (8, 'new', TIMESTAMP '2024-02-01', NULL)")
    con.execute("INSERT INTO shop.prices VALUES (9, 'a', TIMESTAMP '2024-01-01', TIMESTAMP '2024-02-01')")
    con.execute("INSERT INTO shop.prices VALUES (9, 'b', TIMESTAMP '2024-02-01', TIMESTAMP '2024-03-01')")
    con.execute("INSERT INTO shop.days VALUES (TIMESTAMP '2024-01-01', 'P2')")
    assert sorted(con.execute(sql).fetchall()) == [
        ("semantic model customers, entity customer", "several rows for one customer", 2),
        ("semantic model prices, entity product", "rows of one product are valid at the same moment", 1),
        ("time spine days", "several rows for one day", 1),
    ]
