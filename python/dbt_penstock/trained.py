"""Nodes that train as their YAML declares: read while dbt loads the manifest, trained when the node runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import InvalidDefinitionError, PenstockError, UnknownNameError
from penstock.manifest.graph import requests_in
from penstock.manifest.meta import declared_in

KIND = "trained"


def check(manifest: Any) -> None:
    """Read the declarations of dbt's nodes, and add the edge from each to its training set.

    Args:
        manifest: dbt's manifest.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    for node in manifest.nodes.values():
        declared, asks = (
            declared_in(node.config.meta, "train"),
            any(each["kind"] == KIND for each in requests_in(node.config.meta)),
        )
        if declared is None and not asks:
            continue
        where = node.original_file_path
        try:
            if declared is None:
                raise InvalidDefinitionError(
                    "penstock.trained() without a declaration",
                    where=where,
                    fix="meta: {penstock: {train: …}} in its YAML",
                )
            if not asks:
                fix = "{{ penstock.trained() }} is the whole SQL of the node"
                raise InvalidDefinitionError("train is declared, and the node does not train", where=where, fix=fix)
            _edge(node, _training(node).rows, manifest)
        except PenstockError as error:
            raise DbtRuntimeError(str(error)) from error


@contextmanager
def trained(node: Any, manifest: Any) -> Iterator[None]:
    """Within, dbt runs a node; one that trains has trained before, and selects the version that its table lacks.

    Args:
        node: dbt's node, whose SQL is put in.
        manifest: dbt's manifest.
    """
    declared = declared_in(node.config.meta, "train")
    if declared is not None:
        from dbt_penstock import where_spark_is

        rows = _rows(node, _training(node).rows, manifest).relation_name
        view = "penstock_trained_" + re.sub(r"\W", "_", f"{node.schema}_{node.alias}")
        asked = {
            "model": node.name, "where": node.original_file_path, "description": node.description,
            "rows": rows, "table": node.relation_name, "view": view,
        }  # fmt: skip
        where_spark_is.run(
            "from penstock.trainers.declared import trained_view\n"
            f"import json\ntrained_view(spark, json.loads({json.dumps(declared)!r}), **{asked!r})\n",
            node,
        )
        node.compiled_code = f"select * from global_temp.{view}"
    yield


def _training(node: Any) -> Any:
    from penstock.trainers.declaration import parse_training

    return parse_training(declared_in(node.config.meta, "train"), model=node.name, where=node.original_file_path)


def _edge(node: Any, name: str, manifest: Any) -> None:
    rows = _rows(node, name, manifest)
    if rows.unique_id not in node.depends_on.nodes:
        node.depends_on.nodes.append(rows.unique_id)


def _rows(node: Any, name: str, manifest: Any) -> Any:
    package, _, short = name.rpartition(".")
    found = manifest.resolve_ref(node, short, package or None, None, node.package_name, node.package_name)
    if not hasattr(found, "relation_name"):  # none, or a disabled one
        known = [n.name for n in manifest.nodes.values() if n.resource_type in ("model", "seed", "snapshot")]
        raise UnknownNameError.of("model", name, known, where=f"{node.original_file_path}, train, rows")
    return found
