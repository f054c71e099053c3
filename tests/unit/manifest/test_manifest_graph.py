"""dbt's Jinja `graph` gives the manifest that its JSON gives, and node ids besides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.errors import InvalidDefinitionError
from penstock.manifest.graph import manifest_from_graph
from penstock.manifest.load import load_manifest

MODEL = {
    "name": "orders",
    "defaults": {"agg_time_dimension": "ordered_at"},
    "node_relation": {"alias": "orders", "schema_name": "shop", "database": None, "relation_name": "shop.orders"},
    "entities": [],
    "dimensions": [{"name": "ordered_at", "type": "time", "type_params": {"time_granularity": "day"}}],
    "measures": [],
    "config": {"meta": {"owner": "ann"}},
}
METRIC = {
    "name": "revenue",
    "type": "simple",
    "type_params": {"metric_aggregation_params": {"semantic_model": "orders", "agg": "sum"}, "expr": "amount"},
    "filter": None,
    "config": {"meta": {"penstock": {"known_at": "always"}}},
}
SPINE_NODE = {
    "resource_type": "model",
    "name": "days",
    "alias": "days",
    "schema": "shop",
    "database": None,
    "relation_name": "shop.days",
    "time_spine": {
        "standard_granularity_column": "day",
        "custom_granularities": [{"name": "season", "column_name": None}],
    },
    "columns": {"day": {"name": "day", "granularity": "day"}},
}


def _graph(**nodes: Any) -> dict[str, Any]:
    return {
        "nodes": {"test.shop.t": {"resource_type": "test", "name": "t"}, **nodes},
        "semantic_models": {"semantic_model.shop.orders": {**MODEL, "depends_on": {"nodes": ["model.shop.orders"]}}},
        "metrics": {"metric.shop.revenue": METRIC},
        "saved_queries": {},
    }


def test_the_graph_is_the_json_with_node_ids() -> None:
    got = manifest_from_graph(_graph(**{"model.shop.days": SPINE_NODE}))
    assert got.models["orders"].node_id == "model.shop.orders"
    assert [s.node_id for s in got.time_spines] == ["model.shop.days"]
    assert got.models["orders"].meta == {"owner": "ann"}
    assert got.metrics["revenue"].meta == {"penstock": {"known_at": "always"}}
    written = load_manifest(
        {
            "semantic_models": [MODEL],
            "metrics": [METRIC],
            "project_configuration": {
                "time_spines": [
                    {
                        "node_relation": {"alias": "days", "schema_name": "shop", "relation_name": "shop.days"},
                        "primary_column": {"name": "day", "time_granularity": "day"},
                        "custom_granularities": [{"name": "season", "column_name": None}],
                    }
                ]
            },
        }
    )
    assert replace(got.models["orders"], node_id=None) == written.models["orders"]
    assert replace(got.time_spines[0], node_id=None) == written.time_spines[0]
    assert got.metrics == written.metrics


def test_a_model_of_the_old_name_is_a_time_spine() -> None:
    old = {**SPINE_NODE, "name": "metricflow_time_spine", "alias": "metricflow_time_spine", "time_spine": None,
           "relation_name": "`shop`.`metricflow_time_spine`"}  # fmt: skip
    (spine,) = manifest_from_graph(_graph(**{"model.shop.metricflow_time_spine": old})).time_spines
    assert (spine.column, spine.grain, spine.node_id) == ("date_day", "day", "model.shop.metricflow_time_spine")
    assert spine.relation.name == "`shop`.`metricflow_time_spine`"


def test_a_spine_has_to_say_its_grain() -> None:
    with pytest.raises(InvalidDefinitionError, match="granularity: day"):
        manifest_from_graph(_graph(**{"model.shop.days": {**SPINE_NODE, "columns": {"day": {"name": "day"}}}}))
