"""What Jinja sees as `modules.penstock`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dbt_common.exceptions import CompilationError

from penstock.errors import PenstockError

_last: dict[str, Any] = {}


def functions() -> dict[str, Callable[..., Any]]:
    """The functions of `modules.penstock`, by name."""
    return {"compile": compile_request}


def compile_request(request: Mapping[str, Any], graph: Mapping[str, Any]) -> str:
    """The SQL of one request of a macro.

    Args:
        request: As the macro `penstock.ask` passes it.
        graph: dbt's `graph`.

    Raises:
        CompilationError: with the message of the user's error.
    """
    from dbt_penstock import requests

    try:
        if request["kind"] == "predict":
            return requests.predict_sql(request)
        return requests.compiled(request, _definitions(graph), graph).sql
    except PenstockError as error:
        raise CompilationError(str(error)) from error


def _definitions(graph: Mapping[str, Any]) -> Any:
    """The typed manifest of a graph; the last one is kept, for dbt compiles many models over one graph."""
    if _last.get("graph") is not graph:
        from penstock.manifest.graph import manifest_from_graph

        _last.update(graph=graph, definitions=manifest_from_graph(graph))
    return _last["definitions"]
