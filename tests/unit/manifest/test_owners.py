"""Who owns what, by dbt's groups."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.manifest.owners import Owner, owner_of


def group(of: str, package: str = "p", **owner: Any) -> dict[str, Any]:
    return {f"group.{package}.{of}": {"name": of, "package_name": package, "owner": owner}}


MANIFEST: dict[str, Any] = {
    "groups": {
        **group("flights", name="Ada", email="ada@example.com"),
        **group("flights", package="other", name="Bob"),
        **group("models", email=["a@example.com", "b@example.com"]),
    },
    "nodes": {
        "model.p.fct": {"resource_type": "model", "package_name": "p", "config": {"group": "flights"}},
        "model.other.fct": {"resource_type": "model", "package_name": "other", "group": "flights"},
        "model.p.trained": {"resource_type": "model", "package_name": "p", "group": "models"},
        "model.p.loose": {"resource_type": "model", "depends_on": {"nodes": ["model.p.fct"]}, "config": {}},
        "test.p.attached": {"resource_type": "test", "attached_node": "model.p.trained", "depends_on": {"nodes": []}},
        "test.p.two": {"resource_type": "test", "depends_on": {"nodes": ["model.p.loose", "model.p.fct"]}},
        "test.p.own": {
            "resource_type": "test", "package_name": "p", "config": {"group": "models"}, "attached_node": "model.p.fct",
        },
        "test.p.circle": {"resource_type": "test", "depends_on": {"nodes": ["test.p.circle"]}},
        "model.p.unknown": {"resource_type": "model", "group": "gone"},
    },
    "metrics": {
        "metric.p.count": {"resource_type": "metric", "depends_on": {"nodes": ["semantic_model.p.flights"]}},
        "metric.p.rate": {"resource_type": "metric", "depends_on": {"nodes": ["metric.p.count"]}},
    },
    "semantic_models": {
        "semantic_model.p.flights": {"resource_type": "semantic_model", "depends_on": {"nodes": ["model.p.fct"]}}
    },
}  # fmt: skip
ADA = "flights (Ada, ada@example.com)"


@pytest.mark.parametrize(
    ("unique_id", "told"),
    [
        ("model.p.fct", ADA),
        ("model.other.fct", "flights (Bob)"),
        ("model.p.trained", "models (a@example.com, b@example.com)"),
        ("model.p.loose", "None"),  # what it is made of belongs to others
        ("test.p.attached", "models (a@example.com, b@example.com)"),
        ("test.p.two", ADA),
        ("test.p.own", "models (a@example.com, b@example.com)"),
        ("test.p.circle", "None"),
        ("metric.p.count", ADA),
        ("metric.p.rate", ADA),
        ("semantic_model.p.flights", ADA),
        ("model.p.nothing", "None"),
    ],
)
def test_the_owner_is_that_of_the_nearest_group(unique_id: str, told: str) -> None:
    assert str(owner_of(MANIFEST, unique_id)) == told


def test_a_group_that_nobody_declares_is_told_by_its_name() -> None:
    assert owner_of(MANIFEST, "model.p.unknown") == Owner("gone")
