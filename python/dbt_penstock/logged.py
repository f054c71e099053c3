"""Nodes whose rows belong to the record: checked while dbt loads the manifest, logged when their node has run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError


def check(nodes: Any) -> None:
    """Refuse nodes that declare something else than a table of the record.

    Args:
        nodes: dbt's nodes.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    for node in nodes:
        if _table(node) is not None and (node.resource_type != "model" or node.is_ephemeral):
            message = f"what is logged is a model that is a table or a view, and {node.name} is none"
            raise DbtRuntimeError(f"{node.original_file_path}: {message}")


@contextmanager
def logged(node: Any) -> Iterator[None]:
    """Within, dbt runs a node; its rows are in the record before dbt goes on to what comes after it."""
    yield
    table = _table(node)
    if table is None:
        return
    from dbt_penstock import where_spark_is

    where_spark_is.run(
        "from penstock.monitoring.record.logged import log_relation\n"
        f"log_relation(spark, {node.relation_name!r}, {table!r})\n",
        node,
    )


def _table(node: Any) -> str | None:
    section = node.config.meta.get("penstock")
    if not isinstance(section, dict) or "log" not in section:
        return None
    from penstock.monitoring.record.logged import log_of  # what it needs takes time to import

    try:
        return log_of(node.config.meta, where=node.original_file_path)
    except PenstockError as error:
        raise DbtRuntimeError(str(error)) from error
