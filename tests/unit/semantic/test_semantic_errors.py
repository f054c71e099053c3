"""What a user can ask wrongly, and what each mistake is answered with."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import shop

from penstock.errors import InvalidDefinitionError, InvalidRequestError, PenstockError, UnknownNameError
from penstock.manifest.load import load_manifest
from penstock.semantic import GroupBy, MetricRequest, compile_request
from penstock.semantic.templates import parse_filter

MANIFEST = load_manifest(shop.MANIFEST)

WRONG: list[tuple[MetricRequest, type[PenstockError], tuple[str, ...]]] = [
    (MetricRequest(), InvalidRequestError, ("nothing is asked for",)),
    (MetricRequest(("revenu",)), UnknownNameError, ("unknown metric 'revenu'", "did you mean: revenue")),
    (MetricRequest(("revenue",), ("customer__nam",)), UnknownNameError, ("'customer__nam'", "customer__name")),
    (MetricRequest((), ("customer__nam",)), UnknownNameError, ("'customer__nam'", "customer__name")),
    (MetricRequest(("revenue", "refunded"), ("order__is_gift",)), UnknownNameError, ("'order__is_gift'",)),
    (
        MetricRequest(("refunded",), ("customer__is_gift",)),
        InvalidRequestError,
        ("can't be joined", "'orders' has many", "group by customer__orders__is_gift"),
    ),
    (
        MetricRequest(("revenue",), ("Metric('revenue')",)),
        InvalidRequestError,
        ("not grouped by", "entity"),
    ),
    (
        MetricRequest(("revenue",), ("Metric('revenu', group_by=['customer'])",)),
        UnknownNameError,
        ("unknown metric 'revenu'", "did you mean: revenue"),
    ),
    (
        MetricRequest(("revenue",), ("Metric('refunded', group_by=['refund'])",)),
        UnknownNameError,
        ("unknown entity 'refund'", "refunded of refund"),
    ),
    (MetricRequest(("revenue",), subtotals=(("customer",),)), InvalidRequestError, ("can't keep 'customer'",)),
    (MetricRequest(("revenue",), ("customer",), subtotals=(("custome",),)), UnknownNameError, ("'custome'",)),
    (MetricRequest(("revenue",), ("customer",), subtotals=("customer",)), InvalidRequestError, ("not a list",)),  # type: ignore[arg-type]
    (MetricRequest(("revenue",), ("customer",), subtotals=((),) * 101), InvalidRequestError, ("101 items",)),
    (MetricRequest((), ("customer",), subtotals=((),)), InvalidRequestError, ("without metrics",)),
    (
        MetricRequest(("revenue share within customer",), ("customer",), subtotals=((),)),
        InvalidRequestError,
        ("no share within it", "keep customer"),
    ),
    (
        MetricRequest(("revenue_mom",), ("metric_time",), subtotals=((),)),
        InvalidRequestError,
        ("looks back in time", "add metric_time"),
    ),
    (MetricRequest(("last_balance",), known_at="2024-01-01"), InvalidDefinitionError, ("not declared when a row",)),
    (MetricRequest(("revenue",), known_at="yesterday"), InvalidRequestError, ("no date", "where: known_at")),
    (MetricRequest(("revenue",), known_at="2024-01-01T00:00Z"), InvalidRequestError, ("time zone", "where: known_at")),
    (MetricRequest((), ("customer",), known_at="2024-01-01"), InvalidRequestError, ("ask for a metric",)),
    (
        MetricRequest(("refunded",), where=("{{ Dimension('customer__orders__is_gift') }}",)),
        InvalidRequestError,
        ("many values for one row of 'refunds'", "Metric('name'"),
    ),
    (
        MetricRequest(("visit_to_order",), ("customer__refunds__refunded_at",)),
        InvalidRequestError,
        ("credited to one row of 'visits'", "leave customer__refunds__refunded_at__day out"),
    ),
    (
        MetricRequest(("refunded",), ("customer__orders__ordered_at__season",)),
        InvalidRequestError,
        ("not had by a custom grain",),
    ),
    (MetricRequest(("revenue over 2 fortnights",), ("metric_time",)), UnknownNameError, ("grain 'fortnight'",)),
    (
        MetricRequest(("revenue over 7 days",), ("customer",)),
        InvalidRequestError,
        ("grouped by time", "add metric_time"),
    ),
    (MetricRequest(("revenue 1 day ago",)), InvalidRequestError, ("'revenue__1_day_ago'", "add metric_time")),
    (MetricRequest(("revenue over 0 days",), ("metric_time",)), InvalidRequestError, ("can't be zero",)),
    (MetricRequest(("revenue ovr 7 days",)), InvalidRequestError, ("'ovr 7 days'", "did you mean: over 7 days")),
    (MetricRequest(("revenue; DROP",)), InvalidRequestError, ("no metric",)),
    (MetricRequest(("last_balance over 7 days",), ("metric_time",)), InvalidRequestError, ("one moment of a period",)),
    (MetricRequest(("revenue_to_date over 7 days",), ("metric_time",)), InvalidRequestError, ("is cumulative",)),
    (MetricRequest(("visit_to_order over 7 days",), ("metric_time",)), InvalidRequestError, ("is conversion",)),
    (MetricRequest(("visit_to_order 1 day ago",), ("metric_time",)), InvalidDefinitionError, ("can't be offset",)),
    (MetricRequest(("revenue share within customer",)), InvalidRequestError, ("groups by it", "add it to group_by")),
    (MetricRequest(("revenue share within custome",), ("customer",)), UnknownNameError, ("'custome'", "customer")),
    (
        MetricRequest(("revenue share of total",), order_by=("revenue",)),
        InvalidRequestError,
        ("not in the answer",),
    ),
    (MetricRequest(("revenue",), ("metric_time__fortnight",)), UnknownNameError, ("metric_time__fortnight",)),
    (MetricRequest(("revenue",), (GroupBy("metric_time", "fortnight"),)), UnknownNameError, ("grain", "month")),
    (MetricRequest(("revenue",), ("order__paid_at__hour",)), InvalidRequestError, ("kept by day",)),
    (MetricRequest(("revenue",), ("order__is_gift__month",)), InvalidRequestError, ("no time",)),
    (MetricRequest(("revenue", "revenue")), InvalidRequestError, ("two columns", "alias")),
    (MetricRequest(("revenue_mom",)), InvalidRequestError, ("looks back in time", "add metric_time")),
    (
        MetricRequest(("revenue",), order_by=("buyers",)),
        InvalidRequestError,
        ("not in the answer", "add it to metrics"),
    ),
    (MetricRequest(("revenue",), order_by=("customer",)), InvalidRequestError, ("add it to group_by",)),
    (MetricRequest(("revenue",), limit=-1), InvalidRequestError, ("negative",)),
    (MetricRequest(("revenue",), time_constraint=("2024-13-01", "2024-01-01")), InvalidRequestError, ("no date",)),
    (MetricRequest(("revenue",), time_constraint=("2024-02-01", "2024-01-01")), InvalidRequestError, ("before",)),
    (MetricRequest(saved_query="weekly"), UnknownNameError, ("saved query", "monthly")),
    (MetricRequest(("revenue",), saved_query="monthly"), InvalidRequestError, ("names its own metrics",)),
    (MetricRequest(("revenue",), ("customer",), min_max_only=True), InvalidRequestError, ("exactly one",)),
    (
        MetricRequest(("revenue",), where=("{{ Dimension('customer__nam') }} = 1",)),
        UnknownNameError,
        ("customer__name",),
    ),
    (MetricRequest(("revenue",), where=("{{ Metric('revenue') }} > 1",)), InvalidRequestError, ("group_by",)),
    (MetricRequest(("revenue",), where=("orders.amount > 1",)), InvalidRequestError, ("names a table",)),
    (MetricRequest(("revenue",), where=("amount > 1",)), UnknownNameError, ("'amount'",)),
]


@pytest.mark.parametrize(("request_", "kind", "says"), WRONG, ids=[f"{i} {c[2][0]}" for i, c in enumerate(WRONG)])
def test_a_wrong_request_is_refused_with_its_reason(
    request_: MetricRequest, kind: type[PenstockError], says: tuple[str, ...]
) -> None:
    with pytest.raises(kind) as refused:
        compile_request(MANIFEST, request_, "duckdb")
    for words in says:
        assert words in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "1 = 1; DROP TABLE shop.orders",
        "{{ Dimension('order__is_gift') }} OR order_id IN (SELECT 1)",
        "EXISTS (SELECT 1 FROM shop.orders)",
        "1 = 1 GROUP BY 2",
        "1 = 1 UNION SELECT 2",
        "SELECT 1",
        "a = 1, b = 2",
        "1 = 1 --",
        "{{ Dimension('x') }",
        "{% if true %} 1 = 1 {% endif %}",
        "{{ ''.__class__ }} = 1",
        "{{ Dimension(open('/etc/passwd').read()) }} = 1",
        "{{ Dimension('x').__class__() }} = 1",
        "'{{ Dimension(\"order__is_gift\") }}' = 'x'",
        "SUM({{ Dimension('quantity') }}) > 1",
    ],
)
def test_a_filter_is_one_condition_and_nothing_else(text: str) -> None:
    if text == "1 = 1 --":  # a comment is no danger: it ends with the condition
        assert parse_filter(text).tree.sql(comments=False) == "1 = 1"
        return
    with pytest.raises(PenstockError):
        parse_filter(text)


def test_text_in_a_filter_stays_text() -> None:
    text = """{{ Dimension('customer__name') }} = "x' OR 1=1 -- " """
    sql = compile_request(MANIFEST, MetricRequest(("revenue",), where=(text,)), "duckdb").sql
    assert "customers.name = 'x'' OR 1=1 -- '" in sql
    assert shop.connection().execute(sql).fetchall() == [(None,)]


def _changed(name: str, **params: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(shop.MANIFEST)
    metric = next(m for m in manifest["metrics"] if m["name"] == name)
    metric["type_params"].update(params)
    return manifest


@pytest.mark.parametrize(
    ("manifest", "metric", "says"),
    [
        (_changed("net_revenue", expr="revenue - refunds"), "net_revenue", "unknown input 'refunds'"),
        (_changed("net_revenue", expr="revenue -"), "net_revenue", "no SQL expression"),
        (_changed("net_revenue", expr="(SELECT 1)"), "net_revenue", "sub-query"),
        (_changed("net_twice", metrics=[{"name": "net_twice"}]), "net_twice", "made of itself"),
        (_changed("net_twice", metrics=[{"name": "nothing"}]), "net_twice", "unknown metric 'nothing'"),
        (
            _changed("revenue", metric_aggregation_params={"semantic_model": "ordrs", "agg": "sum"}),
            "revenue",
            "unknown semantic model 'ordrs'",
        ),
        (
            _changed("revenue", metric_aggregation_params={"semantic_model": "orders", "agg": "mode"}),
            "revenue",
            "unknown aggregation 'mode'",
        ),
    ],
)
def test_a_wrong_definition_is_named(manifest: dict[str, Any], metric: str, says: str) -> None:
    with pytest.raises(PenstockError, match=says) as refused:
        compile_request(load_manifest(manifest), MetricRequest((metric,)), "duckdb")
    assert isinstance(refused.value, (InvalidDefinitionError, UnknownNameError, InvalidRequestError))
    assert metric in str(refused.value) or "mode" in str(refused.value)
