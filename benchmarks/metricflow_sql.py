"""MetricFlow as the peer: the SQL that it writes for DuckDB, for the same manifest and request."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _Client:
    """MetricFlow asks a client for its dialect only, as long as nothing is run."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"${bind_parameter_key}"

    def close(self) -> None: ...


class MetricFlow:
    """Compiles requests with MetricFlow: its engine is built once, each request is explained anew.

    Args:
        manifest: The JSON text of a semantic manifest.
    """

    def __init__(self, manifest: str) -> None:
        parsed = parse_manifest_from_dbt_generated_manifest(manifest)
        self._engine = MetricFlowEngine(SemanticManifestLookup(parsed), _Client())

    def sql(self, request: Mapping[str, Any]) -> str:
        """The SQL for a request in the form of the conformance protocol; metrics and group-by items are names."""
        constraint = request.get("time_constraint")
        start, end = (dt.datetime.fromisoformat(t) for t in constraint) if constraint else (None, None)
        asked = MetricFlowQueryRequest.create(
            metric_names=request.get("metrics") or None,
            group_by_names=request.get("group_by") or None,
            where_constraints=request.get("where") or None,
            order_by_names=request.get("order_by") or None,
            limit=request.get("limit"),
            time_constraint_start=start,
            time_constraint_end=end,
            min_max_only=bool(request.get("min_max_only")),
        )
        statement = self._engine.explain(asked).sql_statement
        assert not list(statement.bind_parameter_set.param_items)
        return str(statement.sql)

    def dimensions(self, metrics: Sequence[str]) -> list[str]:
        """The names that these metrics can be grouped by, without their time grains."""
        found = self._engine.simple_dimensions_for_metrics(list(metrics))
        return sorted(d.granularity_free_dunder_name for d in found)
