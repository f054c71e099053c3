"""Which exports of saved queries a `dbt build` makes: those for which a model asks `penstock.saved_query`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.manifest.graph import requests_in
from penstock.manifest.model import SemanticManifest


def unbuilt_exports(manifest: SemanticManifest, graph: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The saved query and the table of each export that no model builds.

    Args:
        manifest: The project's definitions.
        graph: dbt's `graph`, or its manifest, whose `nodes` are by unique id.
    """
    built = {
        (str(request["saved_query"]).lower(), node.get("alias") or node["name"])
        for node in (graph.get("nodes") or {}).values()
        if node.get("resource_type") == "model"
        for request in requests_in((node.get("config") or {}).get("meta"))
        if request.get("saved_query")
    }
    for saved in manifest.saved_queries.values():
        for table in saved.exports:
            if (saved.name, table) not in built:
                yield saved.name, table
