"""One definition, one number: what a BI query knows at a moment is what a training row of that moment has."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import shop
from bi import compared, equal, random_requests, tamed
from engine import duckdb_of
from histories import COLUMNS, apart, merged, random_history
from versioned import TYPES as HISTORY_TYPES
from versioned import versioned_manifest

from penstock.manifest.load import load_manifest
from penstock.semantic import MetricRequest, compile_request
from penstock.training_sets import Spine, TrainingSetRequest, compile_training_set

MANIFEST = load_manifest(shop.MANIFEST)
METRICS = ("revenue", "buyers", "avg_quantity", "most_quantity", "refunded", "revenue_per_buyer", "gift_revenue")
TYPES = {
    "shop.orders": {
        "order_id": "int", "customer_id": "int", "product_id": "int", "ordered_at": "timestamp", "paid_at": "timestamp",
        "quantity": "int", "amount": "decimal(10,2)", "is_gift": "boolean",
    },
    "shop.refunds": {
        "refund_id": "int", "customer_id": "int", "refunded_at": "timestamp", "amount": "decimal(10,2)",
    },
}  # fmt: skip
# among them the very moments of a payment and of an order, and one after everything
MOMENTS = ("2024-01-01 10:00", "2024-01-02", "2024-01-03", "2024-01-04", "2024-02-02", "2024-02-05", "2025-01-01")


@pytest.mark.parametrize("moment", MOMENTS)
def test_known_at_is_the_feature_to_date(moment: str) -> None:
    con: Any = shop.connection()
    con.execute(f"CREATE TABLE labels AS SELECT customer_id, TIMESTAMP '{moment}' AS at FROM shop.customers")
    features = tuple(f"customer.{metric} to date as {metric}" for metric in METRICS)
    training = TrainingSetRequest(Spine("labels", at="at", entities={"customer": "customer_id"}), features, types=TYPES)
    trained = con.execute(compile_training_set(MANIFEST, training, "duckdb").sql).fetchall()
    asked = MetricRequest(METRICS, ("customer",), known_at=moment)
    known = {row[0]: row[1:] for row in con.execute(compile_request(MANIFEST, asked, "duckdb").sql).fetchall()}
    nothing = tuple(0 if metric == "buyers" else None for metric in METRICS)
    for customer, _, *values in trained:
        expected = known.get(customer, nothing)
        # a group without an order has no count of buyers; a training row has one, of nothing
        found = tuple(0 if m == "buyers" and v is None else v for m, v in zip(METRICS, expected, strict=True))
        assert tuple(values) == pytest.approx(found), customer


OF_CLAIMS = (
    "total", "number", "mean", "worth", "weight", "lightest", "kinds", "flagged", "flagged_total", "early_total",
    "early_dated", "rate", "balance",
)  # fmt: skip
VERSIONED = {"thing": (*OF_CLAIMS, "score", "counted"), "place": OF_CLAIMS, "claim": OF_CLAIMS}


@pytest.fixture(scope="module")
def history() -> Any:
    """Forty histories of corrections and deletes side by side, and a database with them."""
    found = tamed(merged(apart(random_history(Random(seed), most=8) for seed in range(40))))
    return found, duckdb_of(found, COLUMNS)


def _values(history: Any, *, as_known: bool, count: int = 60) -> list[tuple[str, Any, Any]]:
    _, con = history

    def run(sql: str) -> list[tuple[Any, ...]]:
        return con.execute(sql).fetchall()  # type: ignore[no-any-return]

    requests = random_requests(Random(7), VERSIONED, count)
    world = versioned_manifest()
    return [v for asked in requests for v in compared(world, HISTORY_TYPES, asked, run, "duckdb", as_known=as_known)]


def test_many_rows_are_known_late_and_corrected(history: Any) -> None:
    found, _ = history
    both = [(row["known_at"], row["happened_at"]) for row in found.claims]
    known = [(k, h) for k, h in both if k is not None and h is not None]
    assert sum(k > h for k, h in known) >= 0.3 * len(known)
    versions = [row["claim"] for row in found.claims if row["claim"] is not None]
    assert len(versions) >= 1.5 * len(set(versions))
    assert sum(bool(row["gone"]) for row in found.claims) >= 0.05 * len(found.claims)


def test_a_training_row_knows_what_bi_knew_at_its_time(history: Any) -> None:
    values = _values(history, as_known=True)
    assert len(values) > 5000
    assert sum(mine is not None for _, mine, _ in values) > 2000
    wrong = [v for v in values if not equal(v[1], v[2])]
    assert not wrong, wrong[:5]


def test_what_bi_knows_by_now_is_something_else(history: Any) -> None:
    """The same comparison finds differences as soon as one side does not say as of when it asks."""
    values = _values(history, as_known=False, count=20)
    something = [(mine, theirs) for _, mine, theirs in values if mine or theirs]
    differ = sum(not equal(mine, theirs) for mine, theirs in something)
    assert differ > 500
    assert differ > 0.2 * len(something), differ / len(something)
