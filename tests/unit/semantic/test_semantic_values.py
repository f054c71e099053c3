"""Numbers worked out by hand, for what no other engine of the tests would tell."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import shop

from penstock.manifest.load import load_manifest
from penstock.manifest.model import SemanticManifest
from penstock.semantic import GroupBy, MetricName, MetricRequest, compile_request

MANIFEST = load_manifest(shop.MANIFEST)
CON = shop.connection()


def rows(request: MetricRequest, manifest: SemanticManifest = MANIFEST) -> list[tuple[Any, ...]]:
    return CON.execute(compile_request(manifest, request, "duckdb").sql).fetchall()


def with_dimensions(**expressions: tuple[str, str]) -> SemanticManifest:
    """The shop with more dimensions: their models and expressions."""
    raw = copy.deepcopy(shop.MANIFEST)
    models = {m["name"]: m for m in raw["semantic_models"]}
    for name, (model, expr) in expressions.items():
        models[model]["dimensions"].append({"name": name, "type": "categorical", "expr": expr, "type_params": None})
    return load_manifest(raw)


def test_one_definition_one_number_alone_or_together() -> None:
    names = [m.name for m in MANIFEST.metrics.values()]
    alone = {n: {r[0]: r[1] for r in rows(MetricRequest((n,), ("metric_time__month",)))} for n in names}
    together = rows(MetricRequest(tuple(names), ("metric_time__month",)))
    assert len(together) >= 3
    for month, *values in together:
        for name, value in zip(names, values, strict=True):
            expected = alone[name].get(month)
            if expected is None and MANIFEST.metrics[name].fill_nulls_with is not None:
                expected = MANIFEST.metrics[name].fill_nulls_with  # rows of other metrics are filled too
            assert value == pytest.approx(expected), (name, month)


def test_null_keys_of_several_facts_are_one_group() -> None:
    got = rows(MetricRequest(("revenue", "refunded"), ("customer",)))
    assert [r for r in got if r[0] is None] == [(None, None, 5.0)]
    assert (99, 4.0, None) in got


def test_a_ratio_over_nothing_is_null() -> None:
    got = dict(rows(MetricRequest(("revenue_per_buyer",), ("order",))))
    assert got[5] is None  # no buyer: 0 buyers, not a division by zero
    assert got[1] == 2.5


def test_a_running_total_is_filled_without_a_time_too() -> None:
    raw = copy.deepcopy(shop.MANIFEST)
    raw["metrics"].append(shop._metric("ever", "cumulative", {"cumulative_type_params": {"metric": {"name": "gone"}}}))
    nothing = "{{ Entity('refund') }} = 0"
    raw["metrics"].append(shop._simple("gone", "refunds", "sum", "amount", nothing, fill_nulls_with=0))
    manifest = load_manifest(raw)
    assert rows(MetricRequest(("ever",)), manifest) == [(0,)]
    assert rows(MetricRequest(("ever",), ("customer",)), manifest) == []
    both = dict(r[:2] for r in rows(MetricRequest(("ever", "refunded"), ("customer",)), manifest))
    assert set(both.values()) == {None}


def test_without_a_time_a_running_total_is_the_total_of_the_rows_let_through() -> None:
    since = ("{{ TimeDimension('metric_time', 'day') }} >= '2024-01-03'",)
    for keys in ((), ("customer",)):
        found = rows(MetricRequest(("revenue", "revenue_to_date", "revenue_7_days"), keys, where=since))
        assert found
        assert all(row[-3] == row[-2] == row[-1] for row in found)


def test_aliases_replace_names() -> None:
    request = MetricRequest(
        (MetricName("revenue", "money in"),), (GroupBy("customer__region__region_name", alias="select"),)
    )
    compiled = compile_request(MANIFEST, request, "duckdb")
    assert compiled.columns == ("select", "money in")
    cursor = CON.execute(compiled.sql)
    assert [d[0] for d in cursor.description] == ["select", "money in"]
    assert ("north", 10.0) in cursor.fetchall()


def test_what_is_read_is_told() -> None:
    compiled = compile_request(
        MANIFEST, MetricRequest(("revenue_mom",), ("metric_time__week", "customer__name")), "spark"
    )
    assert compiled.models == ("orders", "customers")
    assert set(compiled.relations) == {"shop.orders", "shop.customers", "shop.days"}
    assert compiled.join_paths == ("orders -customer-> customers",)
    assert compiled.grain == "week"


def test_the_same_request_gives_the_same_text() -> None:
    request = MetricRequest(tuple(MANIFEST.metrics), ("metric_time",))
    assert len({compile_request(load_manifest(shop.MANIFEST), request, "spark").sql for _ in range(3)}) == 1


def test_a_saved_query_is_added_to() -> None:
    plain = rows(MetricRequest(saved_query="monthly"))
    assert len(plain) == 3
    narrowed = rows(MetricRequest(saved_query="monthly", where=("{{ Dimension('customer__is_member') }}",), limit=1))
    assert len(narrowed) == 1
    assert narrowed[0][1] is True


def test_values_without_a_metric() -> None:
    asked = MetricRequest((), ("customer__region__region_name",), where=("{{ Dimension('customer__is_member') }}",))
    assert sorted(rows(asked), key=str) == [("north",), (None,)]


def test_a_column_says_how_its_metric_is_looked_at() -> None:
    asked = {
        "revenue over 7 days": "revenue__over_7_days",
        "Revenue  OVER 1 Month": "revenue__over_1_month",
        "revenue to date": "revenue__to_date",
        "revenue year to date": "revenue__year_to_date",
        "revenue 2 weeks ago": "revenue__2_weeks_ago",
        "revenue change from 1 year ago": "revenue__change_from_1_year_ago",
        "revenue growth from 1 year ago as Growth": "Growth",
        "revenue share of total": "revenue__share_of_total",
        "revenue share within metric_time and customer": "revenue__share_within_metric_time_and_customer",
    }
    request = MetricRequest(tuple(asked), ("metric_time", "customer"), order_by=("-revenue__share_of_total", "Growth"))
    compiled = compile_request(MANIFEST, request, "duckdb")
    assert compiled.columns[2:] == tuple(asked.values())
    assert [d[0] for d in CON.execute(compiled.sql).description] == list(compiled.columns)


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_subtotal_comes_after_its_groups_and_a_null_key_among_them(sign: str) -> None:
    got = rows(
        MetricRequest(
            ("revenue",),
            ("metric_time__month", "customer__region__region_name"),
            subtotals=(("metric_time__month",), ()),
            order_by=("metric_time__month", f"{sign}customer__region__region_name"),
        )
    )
    assert got[-1][:4] == (None, None, True, True)
    for month in {r[0] for r in got[:-1]}:
        of_month = [r for r in got if r[0] == month]
        assert [r[3] for r in of_month] == [False] * (len(of_month) - 1) + [True]
        names = [r[1] for r in of_month[:-1]]
        assert names == [*sorted(filter(None, names), reverse=bool(sign)), *([None] if None in names else [])]
    by_marker = rows(
        MetricRequest(("revenue",), ("customer",), subtotals=((),), order_by=("-customer__is_total",), limit=1)
    )
    assert by_marker[0][:2] == (None, True)


def test_a_dimension_is_whole_in_a_filter_whatever_its_expression() -> None:
    manifest = with_dimensions(many=("orders", "quantity > 2"), more=("orders", "quantity + 1"))
    for where, expected in (
        ("{{ Dimension('order__many') }} = FALSE", 3),
        ("{{ Dimension('order__many') }} IS NULL", 1),
        ("NOT {{ Dimension('order__many') }}", 3),
        ("{{ Dimension('order__more') }} * 2 > 8", 3),
    ):
        assert rows(MetricRequest(("order_count",), where=(where,)), manifest) == [(expected,)]


def test_where_nothing_is_joined_a_dimension_is_null_whatever_its_expression() -> None:
    manifest = with_dimensions(
        called=("customers", "COALESCE(name, '?')"), place=("regions", "COALESCE(region_name, '?')")
    )
    found = dict(rows(MetricRequest(("order_count",), ("customer__called",)), manifest))
    assert found == {"ann": 3, "bob": 1, "cem": 1, "?": 1, None: 2}
    found = dict(rows(MetricRequest(("order_count",), ("customer__region__place",)), manifest))
    assert found == {"north": 3, "south": 1, "?": 1, None: 3}
    unknown = MetricRequest(("order_count",), where=("{{ Dimension('customer__called') }} IS NULL",))
    assert rows(unknown, manifest) == [(2,)]
    values = rows(MetricRequest((), ("customer__called", "customer__region__region_name")), manifest)
    assert sorted(values, key=str) == [("?", None), ("ann", "north"), ("bob", "south"), ("cem", None)]


def test_a_filter_of_time_and_something_else_leaves_one_row_of_an_offset() -> None:
    where = ("{{ Dimension('order__is_gift') }} OR {{ TimeDimension('metric_time', 'day') }} < '2024-03-15'",)
    found = rows(MetricRequest(("buyers_yesterday",), ("metric_time__day",), where=where))
    assert [n for day, n in found if f"{day:%m-%d}" == "01-02"] == [1]  # a gift and no gift, of one buyer
    monthly = rows(MetricRequest(("revenue_mom",), ("metric_time__month",), where=where))
    assert [round(v, 2) for month, v in monthly if month.month == 2] == [-0.68]


def test_an_offset_of_a_semi_additive_metric_is_taken_in_the_period_shown() -> None:
    raw = copy.deepcopy(shop.MANIFEST)
    before = {"metrics": [{"name": "last_balance", "offset_window": {"count": 7, "granularity": "day"}}]}
    raw["metrics"].append(shop._metric("week_ago", "derived", {"expr": "last_balance", **before}))
    found = rows(MetricRequest(("week_ago",), ("metric_time__month",)), load_manifest(raw))
    assert {month.month: value for month, value in found} == {1: 120, 2: 87}
