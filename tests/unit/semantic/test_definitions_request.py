"""What a model or data test of dbt that asks for definitions or a saved query gets."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import shop

from dbt_penstock import requests
from penstock.errors import InvalidDefinitionError
from penstock.manifest.load import load_manifest
from penstock.semantic import MetricRequest, compile_request

RAW = copy.deepcopy(shop.MANIFEST)
for _model in RAW["semantic_models"]:
    _model["node_id"] = f"model.shop.{_model['name']}"
MANIFEST = load_manifest(RAW)
TEST = {"kind": "definitions"}


def test_the_test_of_definitions_reads_every_model() -> None:
    found = requests.compiled(TEST, MANIFEST, {})
    assert "several rows for one customer" in requests.text_of(found)
    assert (
        set(found.node_ids) == {m["node_id"] for m in RAW["semantic_models"]} == set(requests.described_nodes(MANIFEST))
    )


def test_it_does_not_compile_while_a_column_is_missing() -> None:
    columns = {name: {"name": name, "data_type": "int"} for name in ("region_id", "title")}
    node = {"relation_name": "shop.regions", "contract": {"enforced": True}, "columns": columns}
    with pytest.raises(InvalidDefinitionError) as refused:
        requests.compiled(TEST, MANIFEST, {"nodes": {"model.shop.regions": node}})
    assert "1 definitions would fail" in str(refused.value)
    assert "semantic model regions, dimension region_name: unknown column 'region_name'" in str(refused.value)


def test_a_saved_query_is_asked_with_more_filters_and_names_its_metrics() -> None:
    request: dict[str, Any] = {
        "kind": "metrics", "saved_query": "Monthly", "metrics": [], "group_by": [], "subtotals": [], "known_at": None,
        "where": ["{{ Dimension('customer__is_member') }}"], "order_by": [], "limit": None,
    }  # fmt: skip
    found = requests.compiled(request, MANIFEST, {})
    asked = MetricRequest(saved_query="monthly", where=tuple(request["where"]))
    assert requests.text_of(found) == compile_request(MANIFEST, asked, "spark").sql
    assert requests.metric_names(request, found, MANIFEST) == ("revenue", "refunded")
    plain = {
        **request,
        "saved_query": None,
        "metrics": ["revenue over 7 days"],
        "group_by": ["metric_time"],
        "where": [],
    }
    assert requests.metric_names(plain, requests.compiled(plain, MANIFEST, {}), MANIFEST) == ("revenue",)
