"""The shop with more metrics that a metric view expresses, and its metric views."""

from __future__ import annotations

from typing import Any

import shop

from penstock.manifest.load import load_manifest
from penstock.semantic import metric_view


def with_metrics(*metrics: dict[str, Any]) -> Any:
    """The shop's manifest with these metrics too."""
    return load_manifest(shop.MANIFEST | {"metrics": [*shop.MANIFEST["metrics"], *metrics]})


def derived(name: str, expr: str, *inputs: str) -> dict[str, Any]:
    return shop._metric(name, "derived", {"expr": expr, "metrics": [shop._used(i) for i in inputs]})


GIFTS = "{{ Dimension('order__is_gift') }}"
MANIFEST = with_metrics(
    derived("gifts_twice", "COALESCE(gift_revenue, 0) * 2", "gift_revenue"),
    derived(
        "gifted_or_not", "COALESCE(gift_buyers, -1) + COALESCE(member_revenue, 0)", "gift_buyers", "member_revenue"
    ),
    derived("gifts_and_all", "COALESCE(gift_revenue, 0) * 2 + COALESCE(revenue, 1)", "gift_revenue", "revenue"),
    derived("each_gift", "gifts_twice / gift_buyers", "gifts_twice", "gift_buyers"),
    shop._simple("gifts_or_0", "orders", "sum", "amount", GIFTS, fill_nulls_with=0),
    # such text must not end the YAML, nor be read as its syntax
    shop._simple("odd_name", "orders", "count", "1", "{{ Dimension('customer__name') }} <> 'a: $$ \"b\" #\\\\'"),
    shop._simple("seasons_first", "orders", "min", "amount", "{{ Dimension('metric_time__season') }} = 'P1'"),
)
VIEWS = {
    "orders": metric_view(MANIFEST, "orders"),
    "refunds": metric_view(MANIFEST, "refunds"),
    "paid": metric_view(MANIFEST, "orders", metrics=("paid_revenue",)),
}
