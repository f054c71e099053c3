"""One definition, one number: what a BI query knows at a moment is what a training row of that moment has."""

from __future__ import annotations

from typing import Any

import pytest
import shop

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
