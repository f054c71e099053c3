"""The reports of models that nodes declare: read while dbt loads the manifest, so that a wrong one is told at once."""

from __future__ import annotations

from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError


def check(nodes: Any) -> None:
    """Read the reports of dbt's nodes.

    Raises:
        DbtRuntimeError: when a declaration is wrong.
    """
    for node in nodes:
        section = node.config.meta.get("penstock")
        if not hasattr(section, "get") or section.get("report") is None:
            continue
        from penstock.monitoring.report.definition import parse_report

        try:
            parse_report(section["report"], model=node.name, where=node.original_file_path)
        except PenstockError as error:
            raise DbtRuntimeError(str(error)) from error
