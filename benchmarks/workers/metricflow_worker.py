"""MetricFlow's side: its engine is built once, each request is explained anew, with its own renderer for DuckDB."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
from protocol import serve

_engines: list[MetricFlowEngine] = []


class _Client:
    """MetricFlow asks a client for its dialect only, as long as nothing is run."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"${bind_parameter_key}"

    def close(self) -> None: ...


def load(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    parsed = parse_manifest_from_dbt_generated_manifest(Path(asked["manifest"]).read_text())
    _engines[:] = [MetricFlowEngine(SemanticManifestLookup(parsed), _Client())]
    return {}


def compiled(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    request = asked["request"]
    constraint = request.get("time_constraint")
    start, end = (dt.datetime.fromisoformat(t) for t in constraint) if constraint else (None, None)
    query = MetricFlowQueryRequest.create(
        metric_names=request.get("metrics") or None,
        group_by_names=request.get("group_by") or None,
        where_constraints=request.get("where") or None,
        order_by_names=request.get("order_by") or None,
        limit=request.get("limit"),
        time_constraint_start=start,
        time_constraint_end=end,
    )
    return {"sql": str(_engines[0].explain(query).sql_statement.sql)}


def dimensions(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    found = _engines[0].simple_dimensions_for_metrics(list(asked["metrics"]))
    return {"names": sorted(d.granularity_free_dunder_name for d in found)}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    serve({"load": load, "compile": compiled, "dimensions": dimensions})
