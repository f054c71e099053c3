"""The declared upkeep of tables, read from dbt's manifest."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import PenstockError
from penstock.maintenance import Policy, policies
from penstock.semantic.durations import Duration


def found(declared: Any, **more: Any) -> list[Policy]:
    config = {"materialized": "table", "file_format": "delta", "meta": {"penstock": {"maintain": declared}}} | more
    node = {"resource_type": "model", "name": "orders", "relation_name": "s.orders", "config": config}
    return list(policies({"nodes": {"model.p.orders": node, "test.p.t": {"resource_type": "test", "config": config}}}))


def test_a_whole_policy() -> None:
    wanted = Policy("s.orders", True, ("a", "b"), Duration(30, "day"))
    assert found({"optimize": True, "cluster_by": ["a", "b"], "keep": "30 days"}) == [wanted]


def test_nothing_declared_is_nothing_done() -> None:
    assert found({}) == []
    assert found({"optimize": False}) == [Policy("s.orders")]


@pytest.mark.parametrize(
    "more", [{"materialized": "view"}, {"materialized": "metric_view"}, {"file_format": "parquet"}]
)
def test_what_is_no_delta_table_has_no_upkeep(more: dict[str, str]) -> None:
    assert found({"optimize": True}, **more) == []


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("yes", "maintain is 'yes', not a mapping"),
        ({"optimise": True}, "unknown key 'optimise'"),
        ({"cluster_by": "a"}, "cluster_by is 'a', not a list of columns"),
        ({"keep": "a month"}, "'a month' is no length of time"),
        ({"keep": "1 month"}, "a month has no fixed length"),
    ],
)
def test_a_policy_that_is_none_is_told(declared: Any, message: str) -> None:
    with pytest.raises(PenstockError, match=message) as caught:
        found(declared)
    assert "model orders, penstock.maintain" in caught.value.where
