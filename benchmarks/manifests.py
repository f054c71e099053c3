"""The parts of a semantic manifest, in the shape that dbt writes."""

from __future__ import annotations

from typing import Any

Part = dict[str, Any]


def manifest(models: list[Part], metrics: list[Part], spine: Part) -> Part:
    """A whole manifest; its time spine is a table with one `day` a row."""
    return {
        "semantic_models": models,
        "metrics": metrics,
        "saved_queries": [],
        "project_configuration": {
            "time_spine_table_configurations": [],
            "time_spines": [
                {
                    "node_relation": spine,
                    "primary_column": {"name": "day", "time_granularity": "day"},
                    "custom_granularities": [],
                }
            ],
            "dsi_package_version": {"major_version": "0", "minor_version": "213", "patch_version": "0"},
        },
    }


def relation(schema: str, name: str) -> Part:
    """A table."""
    return {"alias": name, "schema_name": schema, "database": None, "relation_name": f"{schema}.{name}"}


def model(table: Part, entities: list[Part], dimensions: list[Part], time: str | None = None) -> Part:
    """A semantic model called like its table; `time` is the dimension by which its metrics are aggregated."""
    made: Part = {
        "name": table["alias"],
        "node_relation": table,
        "entities": entities,
        "dimensions": dimensions,
        "measures": [],
        "description": None,
    }
    return made | ({"defaults": {"agg_time_dimension": time}} if time else {})


def entity(name: str, kind: str, expr: str) -> Part:
    """A key."""
    return {"name": name, "type": kind, "expr": expr}


def category(name: str, expr: str | None = None) -> Part:
    """A dimension that is no time."""
    return {"name": name, "type": "categorical", "expr": expr, "type_params": None}


def time(name: str) -> Part:
    """A time dimension of days."""
    return {"name": name, "type": "time", "expr": None, "type_params": {"time_granularity": "day"}}


def simple(name: str, of: str, agg: str, expr: str, where: str | None = None, **more: Any) -> Part:
    """An aggregation of the model `of`; `more` are parameters such as `fill_nulls_with`."""
    own = {"semantic_model": of, "agg": agg}
    return metric(name, "simple", {"metric_aggregation_params": own, "expr": expr, **more}, where)


def ratio(name: str, above: str, below: str) -> Part:
    """A quotient of two metrics."""
    return metric(name, "ratio", {"numerator": {"name": above}, "denominator": {"name": below}})


def derived(name: str, expr: str, *inputs: Part) -> Part:
    """An expression over metrics."""
    return metric(name, "derived", {"expr": expr, "metrics": list(inputs)})


def cumulative(name: str, of: str, **reach: Any) -> Part:
    """A running total; `reach` is a `window`, a `grain_to_date` or nothing."""
    return metric(name, "cumulative", {"cumulative_type_params": {"metric": {"name": of}, **reach}})


def length(count: int, grain: str) -> Part:
    """A length of time."""
    return {"count": count, "granularity": grain}


def metric(name: str, kind: str, params: Part, where: str | None = None) -> Part:
    """Any metric."""
    filters = {"where_filters": [{"where_sql_template": where}]} if where else None
    return {"name": name, "description": None, "type": kind, "type_params": params, "filter": filters, "label": None}
