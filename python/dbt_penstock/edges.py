"""DAG edges from requests: a model that asks for metrics, features or predictions depends on what those are made of.

While dbt parses, Penstock's macros put each request into the model's `config.meta` under a key that starts with
`penstock.`; dbt keeps it, with partial parsing too. When the manifest is complete, each request is resolved and the
models, metrics and training nodes under it are added to `depends_on`. This happens for every command that loads a
manifest, also where no artifact is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError
from penstock.manifest.graph import manifest_from_graph, requests_in


def add_edges(manifest: Any) -> None:
    """Add the edges to every node with requests, and remember the project's functions for the session."""
    from dbt_penstock import session

    session.remember_functions([function.to_dict() for function in manifest.functions.values()])
    asking = [(node, list(requests_in(node.config.meta))) for node in manifest.nodes.values()]
    asking = [(node, requests) for node, requests in asking if requests]
    if not asking:
        return
    definitions = manifest_from_graph(manifest.flat_graph)
    for node, requests in asking:
        for request in requests:
            try:
                _extend(node.depends_on.nodes, _needed(request, definitions, manifest, node))
            except PenstockError as error:
                raise DbtRuntimeError(f"{node.original_file_path}: {error}") from error
    manifest.build_flat_graph()


def _needed(request: Mapping[str, Any], definitions: Any, manifest: Any, node: Any) -> Iterable[str]:
    if request["kind"] == "predict":
        return _training_node(request["model"], manifest)
    from dbt_penstock import requests

    if request["kind"] == "definitions":  # what is wrong with them is said by the test, not by every command
        return requests.described_nodes(definitions)
    # While dbt parses, a ref is the model itself, whose contract says nothing of what is read.
    others = {name: n for name, n in manifest.flat_graph["nodes"].items() if name != node.unique_id}
    compiled = requests.compiled(request, definitions, {**manifest.flat_graph, "nodes": others})
    named = requests.metric_names(request, compiled, definitions)
    return [*compiled.node_ids, *(m.unique_id for m in manifest.metrics.values() if m.name in named)]


def _training_node(model: str, manifest: Any) -> list[str]:
    """The dbt model of the same name trains it; a model trained elsewhere has no node here."""
    return [n.unique_id for n in manifest.nodes.values() if n.resource_type == "model" and n.name == model]


def _extend(known: list[str], more: Iterable[str]) -> None:
    known.extend(node for node in dict.fromkeys(more) if node not in known)
