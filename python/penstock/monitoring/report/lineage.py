"""From sources to a model to what is made with it: a part of dbt's graph, small enough to be drawn."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

Raw = Mapping[str, Any]
_KINDS = ("model", "seed", "snapshot", "source")
MOST = 40
"""Nodes that are drawn: those nearest to the model, before and after it."""


@dataclass(frozen=True)
class Part:
    """A node of the graph.

    Attributes:
        id: Its unique id.
        name: Its name.
        kind: `source`, `seed`, `snapshot`, `view`, `table` or `model`: what is materialized is called by how.
        relation: Its relation; empty where it has none, as an ephemeral model.
        layer: How far it is from the left: every node is right of all that it is made from.
    """

    id: str
    name: str
    kind: str
    relation: str
    layer: int = 0


@dataclass(frozen=True)
class Lineage:
    """A part of the graph.

    Attributes:
        centre: The id of the model's node.
        parts: Its nodes, in order of layer and name.
        edges: Pairs of ids, from what is read to what reads it.
        downstream: The ids of all nodes that descend from the centre, drawn or not.
        left_out: How many nodes are not among the parts.
    """

    centre: str = ""
    parts: tuple[Part, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    downstream: frozenset[str] = frozenset()
    left_out: int = 0


def lineage_of(manifest: Raw, centre: str) -> Lineage:
    """What a node is made from, up to sources, and what is made from it.

    Args:
        manifest: dbt's.
        centre: The node's unique id.
    """
    nodes = {
        unique_id: each
        for part in ("nodes", "sources")
        for unique_id, each in (manifest.get(part) or {}).items()
        if each["resource_type"] in _KINDS
    }
    parents = {
        unique_id: [each for each in (node.get("depends_on") or {}).get("nodes", ()) if each in nodes]
        for unique_id, node in nodes.items()
    }
    children: dict[str, list[str]] = {unique_id: [] for unique_id in nodes}
    for unique_id, above in parents.items():
        for each in above:
            children[each].append(unique_id)
    up, down = _reached(centre, parents), _reached(centre, children)
    # By turns, so that many on one side leave room for those on the other.
    turns = zip_longest(*(sorted(side, key=lambda each: (side[each], each)) for side in (up, down)))
    nearest = [each for each in dict.fromkeys(chain.from_iterable(turns)) if each is not None]
    chosen = set(nearest[:MOST])
    layers = _layers(chosen, parents)
    parts = sorted((_part(nodes[each], layers[each]) for each in chosen), key=lambda part: (part.layer, part.name))
    edges = sorted((above, each) for each in chosen for above in dict.fromkeys(parents[each]) if above in chosen)
    return Lineage(centre, tuple(parts), tuple(edges), frozenset(down.keys() - {centre}), len(nearest) - len(chosen))


def _reached(start: str, following: Mapping[str, list[str]]) -> dict[str, int]:
    """All that is reached, and in how many steps."""
    steps = {start: 0}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for each in following[here]:
            if each not in steps:
                steps[each] = steps[here] + 1
                waiting.append(each)
    return steps


def _layers(chosen: set[str], parents: Mapping[str, list[str]]) -> dict[str, int]:
    """Of each node how long the longest way to it is; dbt's graph has no circles."""
    layers: dict[str, int] = {}

    def layer(unique_id: str) -> int:
        if unique_id not in layers:
            above = [layer(each) for each in parents[unique_id] if each in chosen]
            layers[unique_id] = max(above, default=-1) + 1
        return layers[unique_id]

    for each in chosen:
        layer(each)
    return layers


def _part(node: Raw, layer: int) -> Part:
    materialized = node.get("config", {}).get("materialized") if node["resource_type"] == "model" else None
    kind = {"view": "view", "ephemeral": "ephemeral"}.get(materialized, "table") if materialized else None
    relation = "" if kind == "ephemeral" else str(node.get("relation_name") or "")
    return Part(node["unique_id"], node["name"], kind or node["resource_type"], relation, layer)
