"""What Jinja sees as `modules.penstock`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dbt_common.exceptions import CompilationError

from penstock.errors import PenstockError

_last: dict[str, Any] = {}


def functions() -> dict[str, Callable[..., Any]]:
    """The functions of `modules.penstock`, by name."""
    return {
        "compile": compile_request,
        "metric_view_comments": metric_view_comments,
        "tested_model": tested_model,
    }


def compile_request(request: Mapping[str, Any], graph: Mapping[str, Any]) -> str:
    """The SQL of one request of a macro; the YAML of a metric view.

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
        return requests.text_of(requests.compiled(request, _definitions(graph), graph))
    except PenstockError as error:
        raise CompilationError(str(error)) from error


def metric_view_comments(meta: Mapping[str, Any], graph: Mapping[str, Any]) -> dict[str, str]:
    """The descriptions of the columns of a metric view, as the semantic layer has them.

    Args:
        meta: The `config.meta` of the model, in which its request is; a model whose YAML is its own has none.
        graph: dbt's `graph`.
    """
    from dbt_penstock import requests
    from penstock.manifest.graph import requests_in

    comments: dict[str, str] = {}
    for request in requests_in(meta):
        if request["kind"] == "metric_view":
            comments |= requests.view_of(request, _definitions(graph)).comments
    return comments


def tested_model(ref: Any, graph: Mapping[str, Any]) -> Any:
    """The model that a generic test is on, which knows how to test it for leakage.

    Args:
        ref: dbt's `ref` in the test.
        graph: dbt's `graph`.

    Raises:
        CompilationError: with the message of the user's error.
    """
    from dbt_penstock.leakage import TestedModel

    try:
        return TestedModel(ref, graph, _definitions(graph))
    except PenstockError as error:
        raise CompilationError(str(error)) from error


def _definitions(graph: Mapping[str, Any]) -> Any:
    """The typed manifest of a graph; the last one is kept, for dbt compiles many models over one graph."""
    if _last.get("graph") is not graph:
        from penstock.manifest.graph import manifest_from_graph

        _last.update(graph=graph, definitions=manifest_from_graph(graph))
    return _last["definitions"]
