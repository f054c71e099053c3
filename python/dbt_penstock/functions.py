"""The SQL functions of models that nodes declare: read while dbt loads the manifest, synced when their node has run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError
from penstock.manifest.meta import declared_in
from penstock.registry.sync import parse_functions


def check(nodes: Any) -> dict[str, str]:
    """The node of each declared function, by the function's name in lower case.

    Args:
        nodes: dbt's nodes.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    found: dict[str, str] = {}
    for node in nodes:
        declared = declared_in(node.config.meta, "functions")
        if declared is None:
            continue
        try:
            functions = parse_functions(declared, model=node.name, where=node.original_file_path)
        except PenstockError as error:
            raise DbtRuntimeError(str(error)) from error
        for function in functions:
            other = found.setdefault(function.name.lower(), node.unique_id)
            if other != node.unique_id:
                raise DbtRuntimeError(f"function '{function.name}' is declared by {other} and by {node.unique_id}")
    return found


@contextmanager
def synced(node: Any) -> Iterator[None]:
    """Within, dbt runs a node; its functions are there before dbt goes on to what comes after it."""
    yield
    declared = declared_in(node.config.meta, "functions")
    if declared is None:
        return
    from dbt_penstock import where_spark_is

    asked = {"model": node.name, "declared_by": node.unique_id, "where": node.original_file_path}
    where_spark_is.run(
        "from penstock.registry.sync import sync\n"
        f"import json\nsync(spark, json.loads({json.dumps(declared)!r}), **{asked!r})\n",
        node,
    )
