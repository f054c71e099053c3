"""The Spark session that dbt finds: made from the profile's settings, with Penstock's and the project's functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The functions of the project that dbt loaded last; the session is made later, at dbt's first statement.
_functions: list[Mapping[str, Any]] = []


def remember_functions(functions: list[Mapping[str, Any]]) -> None:
    """Keep the project's function nodes until a session is opened."""
    _functions[:] = functions


def ensure(settings: Mapping[str, str]) -> None:
    """Open the session of this process, or add what is missing to the one that is open."""
    from penstock.project import start_spark

    start_spark(settings, _functions)
