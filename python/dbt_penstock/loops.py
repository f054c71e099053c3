"""The loops of models that nodes declare: read while dbt loads the manifest, so that a wrong one is told at once."""

from __future__ import annotations

from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError


def check(nodes: Any) -> None:
    """Read the loops of dbt's nodes.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    for node in nodes:
        section = node.config.meta.get("penstock")
        if not hasattr(section, "get") or section.get("loop") is None:
            continue
        from penstock.monitoring.gates.definition import gate_in, parse_gate
        from penstock.monitoring.loop.definition import parse_loop

        where, declared = node.original_file_path, gate_in(node.config.meta)
        try:
            gate = None if declared is None else parse_gate(declared, model=node.name, where=where)
            parse_loop(section["loop"], gate, where=where)
        except PenstockError as error:
            raise DbtRuntimeError(str(error)) from error
