"""What a project declares of the upkeep of its tables: `meta: {penstock: {maintain: …}}` of a dbt node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError, UnknownNameError
from penstock.manifest.meta import declared_in
from penstock.semantic.durations import Duration, parse_duration

_KEYS = ("optimize", "cluster_by", "keep")
_HOW = "maintain: {optimize: true, cluster_by: [a_column], keep: 30 days}, each of them as wanted"


@dataclass(frozen=True)
class Policy:
    """The declared upkeep of a table.

    Args:
        table: Its name.
        optimize: Whether small files are put together.
        cluster_by: The columns by which its files are clustered.
        keep: How long VACUUM leaves what the table no longer holds; None where it is not to run.
    """

    table: str
    optimize: bool = False
    cluster_by: tuple[str, ...] = ()
    keep: Duration | None = None


def policies(dbt_manifest: Mapping[str, Any]) -> Iterator[Policy]:
    """The policies of a project, one a table, in the order of their names.

    Args:
        dbt_manifest: dbt's manifest, whose `nodes` are by unique id.

    Raises:
        InvalidDefinitionError: when a policy is not one.
        UnknownNameError: when it has a key that is not known.
    """
    for _, node in sorted(dbt_manifest["nodes"].items()):
        config = node.get("config") or {}
        policy = declared_in(config.get("meta"), "maintain")
        # One that holds for a folder meets its views and tests, too.
        if policy and node["resource_type"] in ("model", "seed", "snapshot") and not _is_no_table(config):
            yield _policy(node["relation_name"], policy, f"{node['resource_type']} {node['name']}, penstock.maintain")


def _is_no_table(config: Mapping[str, Any]) -> bool:
    return config.get("materialized") in ("view", "ephemeral", "metric_view") or config.get("file_format") != "delta"


def _policy(table: str, declared: Any, where: str) -> Policy:
    if not isinstance(declared, Mapping):
        raise InvalidDefinitionError(f"maintain is {declared!r}, not a mapping", where=where, fix=_HOW)
    for key in declared:
        if key not in _KEYS:
            raise UnknownNameError.of("key", str(key), _KEYS, where=where, fix=_HOW)
    columns, keep = declared.get("cluster_by") or [], declared.get("keep")
    if not isinstance(columns, (list, tuple)) or not all(isinstance(column, str) for column in columns):
        raise InvalidDefinitionError(f"cluster_by is {columns!r}, not a list of columns", where=where, fix=_HOW)
    try:
        kept = None if keep is None else parse_duration(str(keep), where=f"{where}, keep")
    except InvalidRequestError as bad:
        raise InvalidDefinitionError(bad.what, where=bad.where, near=bad.near, fix=bad.fix) from bad
    return Policy(table, bool(declared.get("optimize")), tuple(columns), kept)
