"""Metric views: their text, what can't be in one, and that they give the numbers that requests give.

The property is tested without Spark: what MEASURE does with a view's YAML is written out as SQL and run on DuckDB.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import shop
import sqlglot
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from measured_shop import MANIFEST, VIEWS, derived, with_metrics

from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.manifest.load import load_manifest
from penstock.semantic import MetricRequest, MetricView, compile_request, metric_view, reasons_against
from penstock.semantic.metric_yaml import yaml_of

CASES = sorted((Path(__file__).parent / "metric_views").glob("*.yaml"))
CON = shop.connection()


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_yaml_is_as_expected(path: Path) -> None:
    first, expected = path.read_text().split("\n", 1)
    request = json.loads(first.removeprefix("# request:"))
    got = metric_view(MANIFEST, request.pop("model"), **{part: tuple(names) for part, names in request.items()}).yaml
    if os.environ.get("PENSTOCK_WRITE_SQL"):  # write what is made as what is expected; read the diff before a commit
        path.write_text(f"{first}\n{got}\n")
    assert got == expected.removesuffix("\n")


REASONS = {
    "orders": {
        "gifts": "times without rows",
        "paid_revenue": "its metric_time is paid_at, that of the view is ordered_at",
        "refund_rate": "it needs rows of 'refunds'",
        "net_revenue": "it needs rows of 'refunds'",
        "net_twice": "it needs rows of 'refunds'",
        "revenue_mom": "offset in time",
        "revenue_since_month_start": "offset in time",
        "buyers_yesterday": "offset in time",
        "revenue_last_season": "offset in time",
        "revenue_to_date": "cumulative",
        "revenue_7_days": "cumulative",
        "revenue_month_to_date": "cumulative",
        "buyers_30_days": "cumulative",
        "gifts_7_days": "cumulative",
        "gift_buyers": "a group has none",
        "gifts_twice": "a group has none",
        "gifted_or_not": "a group has none",
        "each_gift": "a group has none",
    },
    "refunds": {"refund_rate": "'orders'", "net_revenue": "'orders'", "net_twice": "'orders'"},
    "visits": {"visit_to_order": "conversion"},
    "balances": {"last_balance": "semi-additive: it takes the rows of one taken_at"},
    "customers": {},
}


@pytest.mark.parametrize("model", REASONS)
def test_what_is_not_expressed_has_a_reason(model: str) -> None:
    refused = {name: reason for name, reason in reasons_against(MANIFEST, model).items() if reason is not None}
    assert refused.keys() == REASONS[model].keys()
    for name, words in REASONS[model].items():
        assert words in (refused[name] or "")


def test_what_is_expressed_is_in_the_view() -> None:
    reasons = reasons_against(MANIFEST, "orders")
    assert metric_view(MANIFEST, "orders").metrics == tuple(n for n, reason in reasons.items() if reason is None)
    assert {"buyers", "gift_share", "quantity_p90", "big_spender_orders", "gifts_and_all"} <= set(
        metric_view(MANIFEST, "orders").metrics
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"model": "order"}, UnknownNameError, "unknown semantic model 'order'\n.*\n  did you mean: orders"),
        ({"model": "orders", "metrics": ("revenu",)}, UnknownNameError, "(?s)'revenu'.*did you mean: revenue"),
        ({"model": "orders", "metrics": ("revenue_mom",)}, InvalidRequestError, "'revenue_mom' can't .*offset in time"),
        ({"model": "orders", "metrics": ("refunded",)}, InvalidRequestError, "needs rows of 'refunds'"),
        ({"model": "orders", "dimensions": ("customer__nam",)}, UnknownNameError, "(?s)customer__nam.*customer__name"),
        ({"model": "customers"}, InvalidRequestError, "(?s)no metric of 'customers'.*did you mean: orders\n"),
        ({"model": "regions"}, InvalidRequestError, "name a semantic model with metrics"),
        ({"model": "balances"}, InvalidRequestError, "(?s)no metric of 'balances'.*penstock metric-views"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_wrong_request_is_refused(arguments: dict[str, Any], kind: type[PenstockError], says: str) -> None:
    with pytest.raises(kind, match=says) as refused:
        metric_view(MANIFEST, arguments.pop("model"), **arguments)
    assert refused.value.where == "penstock.metric_view"


def test_a_metric_named_like_a_dimension_is_left_out() -> None:
    manifest = with_metrics(derived("customer", "revenue", "revenue"))
    assert "dimension" in (reasons_against(manifest, "orders")["customer"] or "")
    assert "customer" in metric_view(manifest, "orders", metrics=("customer",), dimensions=("product",)).metrics


def test_a_filter_that_reaches_nothing_is_the_reason() -> None:
    manifest = with_metrics(
        shop._simple("late", "orders", "sum", "amount", "{{ Dimension('refund__reason') }} = 'late'")
    )
    assert "unknown dimension or entity 'refund__reason'" in (reasons_against(manifest, "orders")["late"] or "")
    assert "late" not in metric_view(manifest, "orders").metrics


def test_names_of_the_source_do_not_meet_those_of_dimensions() -> None:
    raw = copy.deepcopy(shop.MANIFEST)
    customers = next(m for m in raw["semantic_models"] if m["name"] == "customers")
    customers["dimensions"].append(shop._category("value", "name"))
    raw["metrics"].append(shop._simple("customer", "orders", "sum", "amount"))
    view = metric_view(load_manifest(raw), "orders", metrics=("customer",), dimensions=("customer__value",))
    usual = metric_view(MANIFEST, "orders", metrics=("revenue",), dimensions=("customer__name",))
    found = {tuple(row.values()) for row in measured(view, view.dimensions)}
    assert found == {tuple(row.values()) for row in measured(usual, usual.dimensions)}


def test_an_item_that_two_paths_reach_is_one_dimension() -> None:
    """Two models tell of one key, the fact's own key is another's, and one path comes back to where it was."""
    raw = copy.deepcopy(shop.MANIFEST)
    by_name = {m["name"]: m for m in raw["semantic_models"]}
    by_name["customers"]["entities"].append(shop._entity("address", "unique", "email"))
    by_name["regions"]["entities"].append(shop._entity("address", "foreign", "contact"))
    raw["semantic_models"] += [
        shop._model(
            "notes",
            "notes",
            [shop._entity("order", "primary", "id")],
            [shop._category("is_gift"), shop._category("note")],
        ),
        shop._model(
            "fans", "fans", [shop._entity("customer", "primary", "id")], [shop._category("name"), shop._category("fan")]
        ),
    ]
    manifest = load_manifest(raw)
    view = metric_view(manifest, "orders")
    assert len(set(view.dimensions)) == len(view.dimensions)
    assert {"order__note", "order__is_gift", "customer__fan", "customer__address"} <= set(view.dimensions)
    assert "customer__name" not in view.dimensions  # customers and fans both say it: a request has to name one
    for name in view.dimensions:
        assert compile_request(manifest, MetricRequest(("revenue",), (name,)), "spark").columns[0] == name


def test_descriptions_come_along() -> None:
    raw = copy.deepcopy(shop.MANIFEST)
    customers = next(m for m in raw["semantic_models"] if m["name"] == "customers")
    orders = next(m for m in raw["semantic_models"] if m["name"] == "orders")
    customers["dimensions"][0]["description"] = "What they are called."
    orders["entities"][1]["description"] = "Who buys."
    orders["dimensions"][0]["description"] = "When it was ordered."
    next(m for m in raw["metrics"] if m["name"] == "revenue")["description"] = "Money."
    view = metric_view(
        load_manifest(raw),
        "orders",
        metrics=("revenue", "buyers"),
        dimensions=("customer", "customer__name", "customer__is_member", "metric_time__month"),
    )
    assert view.comments == {
        "customer": "Who buys.",
        "customer__name": "What they are called.",
        "metric_time__month": "When it was ordered.",
        "revenue": "Money.",
    }


@pytest.mark.parametrize(
    "text",
    [
        "it's $$ 100 $",
        'a "b" \\ c',
        "two\nlines",
        "tab\there",
        "# no comment: {a}",
        "é 漢 😀",
        "a\u2028b\x85c\rd\r\n e",
    ],
)
def test_any_text_survives_yaml(text: str) -> None:
    made = yaml_of(source=f"SELECT '{text}'", dimensions={text: text}, measures={"m": text})
    assert "$$" not in made
    assert yaml.safe_load(made) == {
        "version": "0.1",
        "source": f"SELECT '{text}'",
        "dimensions": [{"name": text, "expr": text}],
        "measures": [{"name": "m", "expr": text}],
    }


def measured(view: MetricView, group_by: tuple[str, ...], where: str = "TRUE") -> list[dict[str, Any]]:
    """What a query of the view by these dimensions gives, all measures in it."""
    made = yaml.safe_load(view.yaml)
    expressions = {c["name"]: c["expr"] for c in (*made["dimensions"], *made["measures"])}
    columns = ", ".join(f"{expressions[name]} AS `{name}`" for name in (*group_by, *view.metrics))
    sql = f"SELECT {columns} FROM ({made['source']}) WHERE {where}"
    if group_by:
        sql += f" GROUP BY {', '.join(str(i + 1) for i in range(len(group_by)))}"
    return rows(sqlglot.transpile(sql, read="spark", write="duckdb")[0])


def rows(sql: str) -> list[dict[str, Any]]:
    found = CON.execute(sql)
    names = [d[0] for d in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def same(value: Any, other: Any) -> bool:
    """Equal; doubles within 1e-9 relative."""
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=1e-9)
    return bool(value == other)


def assert_same(view: MetricView, group_by: tuple[str, ...], where: tuple[str, str] | None = None) -> None:
    """Each measure equals the metric asked for alone, where that has a row, and with all others."""
    keyed = Keyed(group_by, where[1:] if where else ())
    found = keyed(measured(view, group_by, where[0] if where else "TRUE"))
    together = keyed.answer(*view.metrics)
    assert found.keys() == together.keys()
    for metric in view.metrics:
        alone = keyed.answer(metric)
        assert alone.keys() <= found.keys()
        differ = {
            key: (row[metric], answer[key][metric])
            for key, row in found.items()
            for answer in (alone, together)
            if key in answer and not same(row[metric], answer[key][metric])
        }
        assert not differ, metric


class Keyed:
    """Answers as rows by what they are grouped by."""

    def __init__(self, group_by: tuple[str, ...], where: tuple[str, ...]) -> None:
        self.group_by = group_by
        self.where = where

    def __call__(self, found: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {tuple(row[name] for name in self.group_by): row for row in found}

    def answer(self, *metrics: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        request = MetricRequest(metrics, self.group_by, where=self.where)
        return self(rows(compile_request(MANIFEST, request, "duckdb").sql))


@pytest.mark.parametrize(("name", "dimension"), [(v, d) for v in VIEWS for d in VIEWS[v].dimensions])
def test_each_dimension_gives_the_numbers_of_requests(name: str, dimension: str) -> None:
    assert_same(VIEWS[name], (dimension,))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_several_dimensions_give_the_numbers_of_requests(data: st.DataObject) -> None:
    view = VIEWS[data.draw(st.sampled_from(sorted(VIEWS)))]
    assert_same(view, tuple(data.draw(st.lists(st.sampled_from(view.dimensions), max_size=3, unique=True))))


@pytest.mark.parametrize("group_by", [(), ("customer__region__region_name",)])
@pytest.mark.parametrize("name", ["ann", "cem", "nobody"])
def test_a_filter_gives_the_numbers_of_requests(name: str, group_by: tuple[str, ...]) -> None:
    where = (f"customer__name = '{name}'", f"{{{{ Dimension('customer__name') }}}} = '{name}'")
    for view in VIEWS.values():
        assert_same(view, group_by, where)


def test_without_rows_the_numbers_are_those_of_requests() -> None:
    asked = MetricRequest(("gift_buyers",), where=("{{ Entity('product') }} = 8",))
    assert rows(compile_request(MANIFEST, asked, "duckdb").sql) == [{"gift_buyers": 0}]  # which no measure could say
    assert_same(VIEWS["orders"], (), ("product = 8", "{{ Entity('product') }} = 8"))  # orders, and no gifts
    assert_same(VIEWS["orders"], (), ("product = -1", "{{ Entity('product') }} = -1"))


def test_every_path_is_a_name_in_requests() -> None:
    for view in VIEWS.values():
        for metric, name in itertools.product(view.metrics[:1], view.dimensions):
            assert compile_request(MANIFEST, MetricRequest((metric,), (name,)), "spark").columns[0] == name
