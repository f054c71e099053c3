"""Questions to the shop, each with the rows that the naive evaluator finds for it; asked on every engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from naive import Shop, beside, different, divided, minus, months_before, ordered, rows_of

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

_MEMBER = ("customer__is_member",)
_MONTH = ("metric_time__month",)


def _days(count: int) -> Callable[[dt.datetime], dt.datetime]:
    return lambda end: end - dt.timedelta(days=count - 1)


def _by_each_gift(s: Shop) -> list[tuple[Any, ...]]:
    """Refunds by what the orders of their customer are: each counts once in every group that it has an order in."""
    keys: dict[Any, set[Any]] = {}
    for order in s.tables["orders"]:
        month = order["ordered_at"].replace(day=1, hour=0, minute=0)
        keys.setdefault(order["customer_id"], set()).add((order["is_gift"], month))
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for refund in s.tables["refunds"]:
        of = keys.get(refund["customer_id"], {(None, None)}) if refund["customer_id"] is not None else {(None, None)}
        for gift, month in of:
            groups.setdefault((gift, month, False, False), []).append(refund["amount"])
        for gift in {gift for gift, _ in of}:
            groups.setdefault((gift, None, False, True), []).append(refund["amount"])
        groups.setdefault((None, None, True, True), []).append(refund["amount"])
    whole = sum(r["amount"] for r in s.tables["refunds"])
    return ordered((*key, sum(amounts), divided(sum(amounts), whole)) for key, amounts in groups.items())


def _season_began(day: dt.datetime) -> dt.datetime:
    starts = (dt.datetime(2023, 12, 1), dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 10))
    return max(start for start in starts if start <= day)


def _rolling(s: Shop) -> list[tuple[Any, ...]]:
    names = ("revenue_per_buyer", "refund_rate", "buyers")
    return rows_of(beside(*(s.over(name, "day", _MEMBER, _days(9)) for name in names)))


def _rolling_by_week(s: Shop) -> list[tuple[Any, ...]]:
    return rows_of(beside(s.over("refund_rate", "week", (), _days(30)), s.over("median_amount", "week", (), _days(30))))


def _to_date(s: Shop) -> list[tuple[Any, ...]]:
    def shown(day: dt.datetime) -> bool:
        return day < dt.datetime(2024, 2, 10)

    def kept(_: str, row: Any) -> bool:
        return s.customers.get(row["customer_id"], {}).get("is_member") is True

    month = s.over("revenue", "month", (), lambda end: end.replace(day=1), kept, shown)
    ever = s.over("gift_share", "month", (), lambda end: end.replace(year=2000), kept, shown)
    return rows_of(beside(month, ever))


def _changes(s: Shop) -> list[tuple[Any, ...]]:
    back, keys = months_before(1), (*_MONTH, *_MEMBER)
    now = s.answer(("revenue", "revenue_per_buyer"), keys)
    then = beside(s.before("revenue", "month", _MEMBER, back), s.before("revenue_per_buyer", "month", _MEMBER, back))
    both = beside(now, then)
    return rows_of({key: [a, b, minus(a, b), divided(minus(x, y), y)] for key, (a, x, b, y) in both.items()})


def _shares(s: Shop) -> list[tuple[Any, ...]]:
    (all_buyers, all_refunds), by_month = s.answer(("buyers", "refund_rate"))[()], s.answer(("buyers",), _MONTH)
    found = s.answer(("buyers", "refund_rate"), (*_MONTH, *_MEMBER))
    return rows_of(
        {
            key: [n, divided(n, all_buyers), divided(n, by_month[key[:1]][0]), divided(rate, all_refunds)]
            for key, (n, rate) in found.items()
        }
    )


def _subtotals(
    s: Shop, metrics: tuple[str, ...], keys: tuple[str, ...], *sets: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    """The answers by each set of keys, below one another."""
    left = [k for k in keys if any(k not in kept for kept in sets)]
    rows = []
    for kept in (keys, *sets):
        for key, values in s.answer(metrics, kept).items():
            by_name = dict(zip(kept, key, strict=True))
            rows.append((*(by_name.get(k) for k in keys), *(k not in kept for k in left), *values))
    return ordered(rows)


_REGION = "customer__region__region_name"


def _rolling_subtotals(s: Shop) -> list[tuple[Any, ...]]:
    names, seven = ("revenue", "revenue_7_days"), _days(7)
    rows = []
    for others in (_MEMBER, ()):
        found = beside(s.answer(("revenue",), ("metric_time__day", *others)), s.over("revenue", "day", others, seven))
        rows += [(day, *(key or [None]), False, not others, *values) for (day, *key), values in found.items()]
    # without a time a running total is the total
    rows += [(None, *key, True, False, value, value) for key, (value,) in s.answer(names[:1], _MEMBER).items()]
    return ordered(rows)


def _known(moment: dt.datetime, *, payment: bool) -> Callable[[str, Any], Any]:
    """Whether a row was known: an order when it is paid (or, to some metrics, at once), a refund two days later."""

    def known(table: str, row: Any) -> Any:
        if table == "orders":
            then = max(row["ordered_at"], row["paid_at"] or dt.datetime.max) if payment else row["ordered_at"]
        else:
            then = row["refunded_at"] + dt.timedelta(days=2) if table == "refunds" else row["visited_at"]
        return then < moment

    return known


def _as_known(s: Shop) -> list[tuple[Any, ...]]:
    """What was known at the very moment of a payment, which itself was not."""
    paid, placed = (_known(dt.datetime(2024, 2, 2), payment=payment) for payment in (True, False))
    answers = (
        s.answer(("revenue", "refunded", "visits"), _MEMBER, paid),
        s.answer(("buyers",), _MEMBER, placed),
    )
    return rows_of(beside(*answers))


def _rolling_as_known(s: Shop) -> list[tuple[Any, ...]]:
    known = _known(dt.datetime(2024, 1, 10, 9), payment=True)
    week = s.over("revenue", "day", (), _days(7), known)
    return rows_of(beside(week, s.before("refunded", "day", (), lambda d: d - dt.timedelta(days=1), known)))


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
    "nine days back, by day": Question(
        MetricRequest(
            ("revenue_per_buyer over 9 days", "refund_rate over 9 days", "buyers over 9 days"),
            ("metric_time__day", *_MEMBER),
        ),
        _rolling,
    ),
    "thirty days to the end of a week": Question(
        MetricRequest(("refund_rate over 30 days", "median_amount over 30 days"), ("metric_time__week",)),
        _rolling_by_week,
    ),
    "to date, of members, up to a day": Question(
        MetricRequest(
            ("revenue month to date", "gift_share to date as so_far"),
            _MONTH,
            where=(
                "{{ TimeDimension('metric_time', 'day') }} < '2024-02-10'",
                "{{ Dimension('customer__is_member') }}",
            ),
        ),
        _to_date,
    ),
    "a month ago, the change and the growth": Question(
        MetricRequest(
            (
                "revenue",
                "revenue 1 month ago",
                "revenue change from 1 month ago",
                "revenue_per_buyer growth from 1 month ago",
            ),
            (*_MONTH, *_MEMBER),
        ),
        _changes,
    ),
    "a month before each day": Question(
        MetricRequest(("buyers 1 month ago",), ("metric_time__day",)),
        lambda s: rows_of(s.before("buyers", "day", (), months_before(1))),
    ),
    "shares of distinct counts and of ratios": Question(
        MetricRequest(
            ("buyers", "buyers share of total", "buyers share within metric_time__month", "refund_rate share of total"),
            (*_MONTH, *_MEMBER),
        ),
        _shares,
    ),
    "subtotals of sums, distinct counts, ratios and medians": Question(
        MetricRequest(
            ("revenue", "buyers", "refund_rate", "median_amount"),
            ("metric_time__month", _REGION, "customer__is_member"),
            subtotals=(("metric_time__month", _REGION), (_REGION,), ("customer__is_member",), ()),
            order_by=("metric_time__month", _REGION),
        ),
        lambda s: _subtotals(
            s,
            ("revenue", "buyers", "refund_rate", "median_amount"),
            ("metric_time__month", _REGION, "customer__is_member"),
            ("metric_time__month", _REGION),
            (_REGION,),
            ("customer__is_member",),
            (),
        ),
    ),
    "subtotals of one time under two names": Question(
        MetricRequest(
            ("revenue",), ("metric_time__month", "order__ordered_at__month"), subtotals=(("metric_time__month",), ())
        ),
        lambda s: ordered(
            [(None, None, True, True, s.answer(("revenue",))[()][0])]
            + [
                (month, month if both else None, False, not both, value)
                for (month,), (value,) in s.answer(("revenue",), _MONTH).items()
                for both in (True, False)
            ]
        ),
    ),
    "a grand total alone": Question(
        MetricRequest(("buyers", "gift_share"), ("customer",), subtotals=((),)),
        lambda s: _subtotals(s, ("buyers", "gift_share"), ("customer",), ()),
    ),
    "subtotals of what is worked out by period": Question(
        MetricRequest(
            ("revenue", "revenue_7_days"),
            ("metric_time__day", *_MEMBER),
            subtotals=(("metric_time__day",), _MEMBER),
        ),
        _rolling_subtotals,
    ),
    "subtotals of nothing": Question(
        MetricRequest(
            ("buyers", "refunded"),
            ("customer",),
            where=("{{ TimeDimension('metric_time', 'day') }} > '2030-01-01'",),
            subtotals=((),),
        ),
        lambda _: [],
    ),
    "what was known at a moment": Question(
        MetricRequest(("revenue", "refunded", "visits", "buyers"), _MEMBER, known_at="2024-02-02"), _as_known
    ),
    "what was known, of those known to have spent enough": Question(
        MetricRequest(
            ("revenue", "buyers"),
            known_at="2024-01-03T12:00",
            where=("{{ Metric('revenue', group_by=['customer']) }} < 5",),
        ),
        # customer 10 has paid 2.5 of 10 by then, customer 11 all of 1.25
        lambda s: ordered([(3.75, different([10, 11]))]),
    ),
    "which conversions were known": Question(
        MetricRequest(("visit_to_order",), known_at="2024-01-02T12:00"),
        # three visits before that; of the orders after them one was paid
        lambda s: ordered([(1 / 3,)]),
    ),
    "what was known of a week and a day ago": Question(
        MetricRequest(("revenue over 7 days", "refunded 1 day ago"), ("metric_time",), known_at="2024-01-10T09:00"),
        _rolling_as_known,
    ),
    "a share among groups of a NULL key": Question(
        MetricRequest((f"order_count share within {_REGION}",), (_REGION, "customer")),
        lambda s: rows_of(
            {
                key: [divided(count, s.answer(("order_count",), (_REGION,))[key[:1]][0])]
                for key, (count,) in s.answer(("order_count",), (_REGION, "customer")).items()
            }
        ),
    ),
    "since a season of the shop's own began": Question(
        MetricRequest(("revenue season to date", "refund_rate season to date"), ("metric_time__day",)),
        lambda s: rows_of(beside(*(s.over(m, "day", (), _season_began) for m in ("revenue", "refund_rate")))),
    ),
    "the end of each season": Question(
        MetricRequest(("buyers season to date",), ("metric_time__season",)),
        lambda s: rows_of({("P2",): [4], ("P3",): [2]}),
    ),
    "by the many orders of a refund's customer": Question(
        MetricRequest(
            ("refunded", "refunded share of total"),
            ("customer__orders__is_gift", "customer__orders__ordered_at__month"),
            subtotals=(("customer__orders__is_gift",), ()),
        ),
        _by_each_gift,
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
