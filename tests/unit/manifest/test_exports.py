"""Which exports of saved queries a model builds."""

from __future__ import annotations

from typing import Any

from penstock.manifest.exports import unbuilt_exports
from penstock.manifest.load import load_manifest

SAVED = [
    {"name": "Monthly", "query_params": {"metrics": []}, "exports": [
        {"name": "monthly_table", "config": {"export_as": "table", "alias": "revenue_by_month"}}, {"name": "other"},
    ]},
    {"name": "shown_only", "query_params": {"metrics": []}, "exports": []},
]  # fmt: skip
MANIFEST = load_manifest({"saved_queries": SAVED})


def _model(name: str, saved_query: str, **more: Any) -> dict[str, Any]:
    meta = {"penstock.abc": {"kind": "metrics", "saved_query": saved_query}, "owner": "me"}
    return {"resource_type": "model", "name": name, "config": {"meta": meta}, **more}


def test_an_export_is_built_by_a_model_of_its_table_that_asks_the_saved_query() -> None:
    assert list(unbuilt_exports(MANIFEST, {})) == [("monthly", "revenue_by_month"), ("monthly", "other")]
    nodes = {
        "a": _model("anything", "monthly", alias="revenue_by_month"),
        "b": _model("other", "another_query"),
        "c": {**_model("other", "monthly"), "resource_type": "test"},
    }
    assert list(unbuilt_exports(MANIFEST, {"nodes": nodes})) == [("monthly", "other")]
    assert list(unbuilt_exports(MANIFEST, {"nodes": {**nodes, "d": _model("other", "MONTHLY")}})) == []
