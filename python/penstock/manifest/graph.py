"""Read dbt's own `graph` (the dict that Jinja sees) into the typed manifest.

`semantic_manifest.json` is not written by every dbt command (`--no-write-json`, `docs generate`) and knows no node ids;
the graph is always at hand, and has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.errors import InvalidDefinitionError
from penstock.manifest.load import load_manifest
from penstock.manifest.model import SemanticManifest
from penstock.manifest.rules import plain

Raw = Mapping[str, Any]

# Under such keys of `config.meta` a model keeps what it asks of the compiler.
_REQUEST = "penstock."

# Under this one, what its YAML asks for in `meta.penstock.training_set`.
YAML_REQUEST = "penstock.training_set"

_LEGACY_SPINE = "metricflow_time_spine"
_LEGACY_COLUMN = "date_day"


def manifest_from_graph(graph: Raw) -> SemanticManifest:
    """Turn dbt's `graph` into the same manifest that its `semantic_manifest.json` gives, with node ids.

    Args:
        graph: dbt's `manifest.flat_graph`, which macros see as `graph`: dicts `nodes`, `metrics`, `semantic_models`,
            `saved_queries`, each by unique id.

    Raises:
        InvalidDefinitionError: A definition contradicts itself.
    """
    spines = list(_spines(graph))
    return load_manifest(
        {
            "semantic_models": [
                {**model, "node_id": _model_under(model)} for model in _values(graph, "semantic_models")
            ],
            "metrics": list(_values(graph, "metrics")),
            "saved_queries": list(_values(graph, "saved_queries")),
            "project_configuration": {
                "time_spines": spines,
                "time_spine_table_configurations": list(_legacy_spine(graph)),
            },
        }
    )


def requests_in(meta: Raw | None) -> Iterator[Raw]:
    """The requests of a model's macros, from its `config.meta`: a `kind`, and the arguments of that macro."""
    for key, value in (meta or {}).items():
        if key.startswith(_REQUEST):
            yield value


def _values(graph: Raw, key: str) -> Iterator[Raw]:
    return iter((graph.get(key) or {}).values())


def _model_under(semantic_model: Raw) -> str | None:
    """The unique id of the dbt model that a semantic model describes: its only dependency."""
    depends_on = semantic_model.get("depends_on") or {}
    return next(iter(depends_on.get("nodes") or ()), None)


def _spines(graph: Raw) -> Iterator[Raw]:
    for unique_id, node in (graph.get("nodes") or {}).items():
        spine = node.get("time_spine") if node.get("resource_type") == "model" else None
        if not spine:
            continue
        column = (node.get("columns") or {}).get(spine["standard_granularity_column"]) or {}
        if not column.get("granularity"):
            raise InvalidDefinitionError(
                f"the time spine '{node['name']}' does not say the granularity of its column",
                where=f"model {node['name']}, column {spine['standard_granularity_column']}",
                fix="add `granularity: day` to the column",
            )
        yield {
            "node_relation": _relation(node),
            "primary_column": {
                "name": spine["standard_granularity_column"],
                "time_granularity": plain(column["granularity"]),
            },
            "custom_granularities": spine.get("custom_granularities") or (),
            "node_id": unique_id,
        }


def _legacy_spine(graph: Raw) -> Iterator[Raw]:
    """A model of this name is a time spine even where no YAML says so."""
    for unique_id, node in (graph.get("nodes") or {}).items():
        if node.get("resource_type") == "model" and node.get("name") == _LEGACY_SPINE and not node.get("time_spine"):
            yield {
                "location": node["relation_name"],
                "column_name": _LEGACY_COLUMN,
                "grain": "day",
                "node_id": unique_id,
            }
            return


def _relation(node: Raw) -> Raw:
    return {
        "alias": node["alias"],
        "schema_name": node["schema"],
        "database": node.get("database"),
        "relation_name": node.get("relation_name"),
    }
