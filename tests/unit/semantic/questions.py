"""Questions to the shop, each with the rows that the naive evaluator finds for it; asked on every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from naive import Shop, ordered, rows_of

from penstock.semantic import GroupBy, MetricRequest


@dataclass(frozen=True)
class Question:
    request: MetricRequest
    expected: Callable[[Shop], list[tuple[Any, ...]]]


def _same(metrics: tuple[str, ...], keys: tuple[str, ...] = (), **more: Any) -> Question:
    return Question(MetricRequest(metrics, keys, **more), lambda s: rows_of(s.answer(metrics, keys)))


_ALL = (
    "revenue", "gift_revenue", "buyers", "avg_quantity", "most_quantity", "median_amount", "order_count", "refunded",
    "visits", "revenue_per_buyer", "gift_share", "refund_rate",
)  # fmt: skip

QUESTIONS: dict[str, Question] = {
    "NULL keys of three facts": _same(("revenue", "refunded", "visits", "buyers", "refund_rate"), ("customer",)),
    "keys that join nothing": _same(("revenue", "buyers"), ("customer__name",)),
    "NULL keys over two joins": _same(
        ("revenue", "refund_rate", "median_amount"), ("customer__region__region_name", "customer__is_member")
    ),
    "everything at once": _same(_ALL),
    "weeks start on Monday": _same(("revenue", "refunded"), ("metric_time__week",)),
    "Monday is day 1": Question(
        MetricRequest(("revenue", "visits"), (GroupBy("metric_time", date_part="dow"),)),
        lambda s: rows_of(s.answer(("revenue", "visits"), ("metric_time__extract_dow",))),
    ),
    "division by zero": Question(
        MetricRequest(("refund_rate", "revenue_per_buyer"), ("metric_time__day", "customer")),
        lambda s: rows_of(s.answer(("refund_rate", "revenue_per_buyer"), ("metric_time__day", "customer"))),
    ),
    "quarters and years": _same(("avg_quantity", "most_quantity"), ("metric_time__quarter", "metric_time__year")),
    "NULL is not equal to NULL in a filter": Question(
        MetricRequest(("revenue",), ("customer",), where=("{{ Entity('customer') }} <> 10",)),
        lambda s: rows_of(
            s.answer(("revenue",), ("customer",), lambda _, r: r["customer_id"] is not None and r["customer_id"] != 10)
        ),
    ),
    "a filter that lets nothing through": Question(
        MetricRequest(_ALL, where=("{{ TimeDimension('metric_time', 'day') }} > '2030-01-01'",)),
        lambda s: rows_of(s.answer(_ALL, (), lambda _, r: False)),
    ),
    "a filter that lets nothing through, grouped": Question(
        MetricRequest(_ALL, ("customer",), where=("{{ TimeDimension('metric_time', 'day') }} > '2030-01-01'",)),
        lambda _: [],
    ),
    "by what each customer spent": Question(
        MetricRequest(("buyers", "order_count", "visits"), ("Metric('revenue', group_by=['customer'])",)),
        lambda s: rows_of(s.answer(("buyers", "order_count", "visits"), ("customer__revenue",))),
    ),
    "by a count of two facts and a dimension": Question(
        MetricRequest(
            ("revenue", "refund_rate"),
            (GroupBy("order_count", of=("customer",)), "metric_time__month"),
            order_by=("-customer__order_count",),
        ),
        lambda s: rows_of(s.answer(("revenue", "refund_rate"), ("customer__order_count", "metric_time__month"))),
    ),
    "the values of a metric": Question(
        MetricRequest((), ("Metric('order_count', group_by=['customer'])", "customer__name")),
        # without metrics rows are those of the entity's own table, to which the values are joined from both sides
        lambda s: ordered({(s.orders_of(c), s.customers.get(c, {}).get("name")) for c in (10, 11, 12, 13, 99)}),
    ),
    "division, remainder and cast that fail": Question(
        MetricRequest(
            ("order_count",),
            where=(
                "1 / {{ Dimension('order__quantity') }} IS NULL OR 1 % {{ Dimension('order__quantity') }} IS NULL "
                "OR CAST({{ Dimension('customer__name') }} AS INT) > 1",
            ),
        ),
        lambda s: rows_of(s.answer(("order_count",), (), lambda _, r: not r.get("quantity"))),
    ),
}
