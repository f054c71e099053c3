"""The gates, loops and reports of nodes, read while dbt loads the manifest: a wrong one is told at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError
from penstock.manifest.meta import declared_in

_KEYS = ("gate", "loop", "report")


def check(nodes: Iterable[Any]) -> None:
    """Read the gates, loops and reports of dbt's nodes.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    for node in nodes:
        given = {key: declared_in(node.config.meta, key) for key in _KEYS}
        if any(each is not None for each in given.values()):
            try:
                _read(given, node.name, node.original_file_path)
            except PenstockError as error:
                raise DbtRuntimeError(str(error)) from error


def _read(given: dict[str, Any], model: str, where: str) -> None:
    from penstock.monitoring.gates.definition import parse_gate
    from penstock.monitoring.loop.definition import parse_loop
    from penstock.monitoring.report.definition import parse_report

    gate = None if given["gate"] is None else parse_gate(given["gate"], model=model, where=where)
    if given["loop"] is not None:
        parse_loop(given["loop"], gate, where=where)
    if given["report"] is not None:
        parse_report(given["report"], model=model, where=where)
