"""Who owns what: dbt's groups, by the nodes, metrics and tests that are in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_KINDS = ("nodes", "metrics", "semantic_models", "saved_queries", "sources")
# What has no group of its own belongs to whom that belongs to which it is about.
_ABOUT_OTHERS = {"test", "metric", "semantic_model", "saved_query", "unit_test"}


@dataclass(frozen=True)
class Owner:
    """The owner of a dbt group.

    Attributes:
        group: The group's name.
        name: The owner's, if it has one.
        email: Where to write to, if it is told.
    """

    group: str
    name: str = ""
    email: str = ""

    def __str__(self) -> str:
        """`flights (Ada Lovelace, ada@example.com)`."""
        told = ", ".join(filter(None, (self.name, self.email)))
        return f"{self.group} ({told})" if told else self.group


def owner_of(manifest: Mapping[str, Any], unique_id: str) -> Owner | None:
    """Who owns a node, a metric, a semantic model, a saved query or a test; None where nobody is told.

    A test belongs to the group of the model that it is on, a metric to that of its semantic model or of the metrics
    that it is made of, and a semantic model to that of its model, unless they have a group of their own.

    Args:
        manifest: dbt's manifest.
        unique_id: dbt's id.
    """
    return _owner(manifest, unique_id, set())


def _owner(manifest: Mapping[str, Any], unique_id: str, seen: set[str]) -> Owner | None:
    node = next((found[unique_id] for kind in _KINDS if unique_id in (found := manifest.get(kind) or {})), None)
    if node is None or unique_id in seen:
        return None
    seen.add(unique_id)
    group = node.get("group") or (node.get("config") or {}).get("group")
    if group:
        return _of_group(manifest, str(group), str(node.get("package_name") or ""))
    if node.get("resource_type") not in _ABOUT_OTHERS:
        return None
    about = [node.get("attached_node"), *((node.get("depends_on") or {}).get("nodes") or [])]
    found = (_owner(manifest, each, seen) for each in about if each)
    return next(filter(None, found), None)


def _of_group(manifest: Mapping[str, Any], group: str, package: str) -> Owner:
    known = [each for each in (manifest.get("groups") or {}).values() if each["name"] == group]
    known.sort(key=lambda each: each.get("package_name") != package)
    owner = (known[0].get("owner") or {}) if known else {}
    email = owner.get("email") or ""
    return Owner(group, str(owner.get("name") or ""), email if isinstance(email, str) else ", ".join(email))
