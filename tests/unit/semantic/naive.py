"""Metrics of the shop worked out row by row in plain Python, by somebody who knows the shop and not the compiler.

A leaf is an aggregate over the rows of one table. A metric is one or more leaves and what is made of their values; a
group is in the answer if any leaf has a row in it.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Key = tuple[Any, ...]
Answer = dict[Key, list[Any]]


def total(values: Iterable[Any]) -> Any:
    there = [v for v in values if v is not None]
    return sum(there) if there else None


def mean(values: Iterable[Any]) -> Any:
    there = [v for v in values if v is not None]
    return sum(there) / len(there) if there else None


def different(values: Iterable[Any]) -> int:
    return len({v for v in values if v is not None})


def median(values: Iterable[Any]) -> Any:
    there = sorted(v for v in values if v is not None)
    middle = (len(there) - 1) / 2
    return (there[math.floor(middle)] + there[math.ceil(middle)]) / 2 if there else None


def greatest(values: Iterable[Any]) -> Any:
    return max((v for v in values if v is not None), default=None)


def divided(above: Any, below: Any) -> Any:
    return above / below if above is not None and below else None


def minus(left: Any, right: Any) -> Any:
    return left - right if left is not None and right is not None else None


@dataclass(frozen=True)
class Leaf:
    table: str
    of: Callable[[list[Row]], Any]
    only: Callable[[Row], Any] = lambda _: True


@dataclass(frozen=True)
class Metric:
    leaves: tuple[Leaf, ...]
    made: Callable[..., Any] = lambda value: value


def _simple(table: str, column: str, how: Callable[[Iterable[Any]], Any], only: Any = lambda _: True) -> Leaf:
    return Leaf(table, lambda rows: how(r[column] for r in rows), only)


_REVENUE = _simple("orders", "amount", total)
_BUYERS = _simple("orders", "customer_id", different)
_REFUNDED = _simple("refunds", "amount", total)
_GIFTS = _simple("orders", "amount", total, lambda r: r["is_gift"])
METRICS = {
    "revenue": Metric((_REVENUE,)),
    "gift_revenue": Metric((_GIFTS,)),
    "buyers": Metric((_BUYERS,)),
    "avg_quantity": Metric((_simple("orders", "quantity", mean),)),
    "most_quantity": Metric((_simple("orders", "quantity", greatest),)),
    "median_amount": Metric((_simple("orders", "amount", median),)),
    "order_count": Metric((_simple("orders", "order_id", lambda v: total(int(x is not None) for x in v)),)),
    "refunded": Metric((_REFUNDED,)),
    # dbt reads a count as a sum of ones, so that over no rows it is NULL
    "visits": Metric((Leaf("visits", lambda rows: len(rows) or None),)),
    "revenue_per_buyer": Metric((_REVENUE, _BUYERS), divided),
    "gift_share": Metric((_GIFTS, _REVENUE), divided),
    "refund_rate": Metric((_REFUNDED, _REVENUE), divided),
}  # fmt: skip

TIMES = {"orders": "ordered_at", "refunds": "refunded_at", "visits": "visited_at"}


class Shop:
    """The rows of the shop.

    Args:
        con: A database with its tables.
    """

    def __init__(self, con: Any) -> None:
        self.tables: dict[str, list[Row]] = {}
        for name in ("orders", "refunds", "visits", "customers", "regions", "days"):
            cursor = con.execute(f"SELECT * FROM shop.{name}")
            columns = [d[0] for d in cursor.description]
            self.tables[name] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        self.customers = {r["customer_id"]: r for r in self.tables["customers"]}
        self.regions = {r["region_id"]: r for r in self.tables["regions"]}
        self.days = sorted(r["day"] for r in self.tables["days"])

    def key(self, name: str, table: str, row: Row) -> Any:
        """What a row is grouped by under a name."""
        moment = row[TIMES[table]]
        if name.startswith("metric_time__"):
            return _period(moment, name.removeprefix("metric_time__"))
        customer = self.customers.get(row["customer_id"], {})
        return {
            "one": lambda: 1,
            "customer": lambda: row["customer_id"],
            "customer__name": lambda: customer.get("name"),
            "customer__is_member": lambda: customer.get("is_member"),
            "customer__region__region_name": lambda: self.regions.get(customer.get("region_id"), {}).get("region_name"),
            "order__is_gift": lambda: row["is_gift"],
            "customer__revenue": lambda: self._spent(row["customer_id"]),
            "customer__order_count": lambda: self.orders_of(row["customer_id"]),
        }[name]()

    def _spent(self, customer: Any) -> Any:
        return total(
            r["amount"] for r in self.tables["orders"] if r["customer_id"] == customer and customer is not None
        )

    def orders_of(self, customer: Any) -> Any:
        """How often a customer has ordered."""
        found = [r for r in self.tables["orders"] if r["customer_id"] == customer and customer is not None]
        return len(found) or None

    def answer(
        self,
        metrics: Sequence[str],
        keys: Sequence[str] = (),
        where: Callable[[str, Row], Any] = lambda table, row: True,
    ) -> Answer:
        """The metrics by the keys, over the rows that `where` lets through."""
        found: Answer = {} if keys else {(): []}
        parts = [self._parts(METRICS[m], keys, where) for m in metrics]
        for groups in parts:
            found |= {key: [] for key in groups}
        for metric, groups in zip(metrics, parts, strict=True):
            for key, values in found.items():
                made = METRICS[metric].made
                rows = groups.get(key) or ([[] for _ in METRICS[metric].leaves] if not keys else None)
                if rows is None:
                    values.append(None)
                    continue
                leaves = METRICS[metric].leaves
                # a leaf without a row in a group has no value there, not even a count of 0
                got = [leaf.of(r) if r or not keys else None for leaf, r in zip(leaves, rows, strict=True)]
                values.append(made(*got))
        return found

    def over(
        self,
        metric: str,
        grain: str,
        others: Sequence[str],
        begins: Callable[[dt.datetime], dt.datetime],
        where: Callable[[str, Row], Any] = lambda table, row: True,
        days: Callable[[dt.datetime], Any] = lambda day: True,
    ) -> Answer:
        """The metric over the days from `begins(end)` to the end of each period, of the days that are let through."""
        ends: dict[Any, dt.datetime] = {}
        for day in filter(days, self.days):
            period = _period(day, grain)
            ends[period] = max(day, ends.get(period, day))
        found: Answer = {}
        for period, end in ends.items():

            def inside(table: str, row: Row, end: dt.datetime = end) -> Any:
                moment = _period(row[TIMES[table]], "day")
                return moment is not None and begins(end) <= moment <= end and where(table, row)

            for (_, *key), values in self.answer((metric,), ("one", *others), inside).items():
                found[(period, *key)] = values
        return found

    def before(
        self,
        metric: str,
        grain: str,
        others: Sequence[str],
        back: Callable[[dt.datetime], dt.datetime],
        where: Callable[[str, Row], Any] = lambda table, row: True,
    ) -> Answer:
        """The metric of the period some time before, shown at each period of the calendar."""
        then = self.answer((metric,), (f"metric_time__{grain}", *others), where)
        return {
            (period, *key): values
            for period in {_period(day, grain) for day in self.days}
            for (moment, *key), values in then.items()
            if moment == back(period)
        }

    def _parts(
        self, metric: Metric, keys: Sequence[str], where: Callable[[str, Row], Any]
    ) -> dict[Key, list[list[Row]]]:
        groups: dict[Key, list[list[Row]]] = {}
        for i, leaf in enumerate(metric.leaves):
            for row in self.tables[leaf.table]:
                if leaf.only(row) and where(leaf.table, row):
                    key = tuple(self.key(k, leaf.table, row) for k in keys)
                    groups.setdefault(key, [[] for _ in metric.leaves])[i].append(row)
        return groups


def _period(moment: dt.datetime | None, grain: str) -> Any:
    if moment is None:
        return None
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        "day": lambda: day,
        "week": lambda: day - dt.timedelta(days=day.weekday()),
        "month": lambda: day.replace(day=1),
        "quarter": lambda: day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1),
        "year": lambda: day.replace(day=1, month=1),
        "extract_dow": moment.isoweekday,
        "extract_year": lambda: moment.year,
        "extract_month": lambda: moment.month,
        "extract_doy": lambda: moment.timetuple().tm_yday,
    }
    return starts[grain]()


def months_before(count: int) -> Callable[[dt.datetime], dt.datetime]:
    """So many months earlier, at the last day of a month that is too short."""

    def back(day: dt.datetime) -> dt.datetime:
        year, month = divmod(day.year * 12 + day.month - 1 - count, 12)
        last = (dt.datetime(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - dt.timedelta(days=1)).day
        return day.replace(year=year, month=month + 1, day=min(day.day, last))

    return back


def beside(*answers: Answer) -> Answer:
    """Answers by the same keys as one, None where one of them lacks a group."""
    widths = [len(next(iter(a.values()), [None])) for a in answers]
    keys = dict.fromkeys(key for a in answers for key in a)
    return {k: [v for a, n in zip(answers, widths, strict=True) for v in a.get(k, [None] * n)] for k in keys}


def plain(value: Any) -> Any:
    """A value as both engines and Python have it."""
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat()[:10]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool):
        return None if math.isnan(value) else float(f"{float(value):.9g}")
    return value


def rows_of(answer: Answer) -> list[Key]:
    """The rows of an answer, in an order of their own."""
    return ordered([(*key, *values) for key, values in answer.items()])


def ordered(rows: Iterable[Iterable[Any]]) -> list[Key]:
    """Rows that compare alike whatever the engine that gave them."""
    return sorted((tuple(plain(v) for v in row) for row in rows), key=lambda r: [(v is not None, str(v)) for v in r])
