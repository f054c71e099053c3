"""What Jinja sees as `modules.penstock`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from dbt_common.exceptions import CompilationError

from penstock.errors import PenstockError

_last: dict[str, Any] = {}
# The training sets that nodes of the last graph asked for when they were compiled, by the nodes' ids.
_asked: dict[str, list[Mapping[str, Any]]] = {}


def functions() -> dict[str, Callable[..., Any]]:
    """The functions of `modules.penstock`, by name."""
    return {
        "as_usual": _of("usual", "as_usual"),
        "baseline_tiles": _of("tiled", "baseline_sql"),
        "behaviour": _of("behaviour", "sql"),
        "compile": compile_request,
        "drift": _of("tiled", "drift_sql"),
        "edges": _of("tiled", "edges_sql"),
        "labels": labels,
        "metric_view_comments": metric_view_comments,
        "performance": _of("performance", "sql"),
        "projected": _of("embeddings", "projected_sql"),
        "projection": _of("embeddings", "projection_sql"),
        "protected_columns": protected_columns,
        "root_cause": _of("tiled", "root_cause_sql"),
        "rows_of_spine": rows_of_spine,
        "scored": _of("scored", "scored"),
        "skewed": _of("skew", "skewed"),
        "tail": tail,
        "tested_model": tested_model,
        "tiles": _of("tiled", "tiles_sql"),
    }


def compile_request(request: Mapping[str, Any], graph: Mapping[str, Any], node_id: str | None) -> str:
    """The SQL of one request of a macro; the YAML of a metric view.

    Args:
        request: As the macro `penstock.ask` passes it.
        graph: dbt's `graph`.
        node_id: The unique id of the node that is compiled; None outside of nodes.

    Raises:
        CompilationError: with the message of the user's error.
    """
    from dbt_penstock import requests

    if request["kind"] == "trained":  # what it selects is known when it has trained
        return "select 1 as nothing where false"
    try:
        if request["kind"] == "predict":
            return requests.predict_sql(request)
        text = requests.text_of(requests.compiled(request, definitions_of(graph), graph))
    except PenstockError as error:
        raise CompilationError(str(error)) from error
    if request["kind"] == "training_set":
        known = _asked.setdefault(node_id or "", [])
        known.extend([request] if request not in known else [])
    return text


def training_sets_asked(node_id: str) -> list[Mapping[str, Any]]:
    """The training sets that a node asked for when it was compiled, their spines as dbt resolved them."""
    return _asked.get(node_id, [])


def labels(kind: str, horizon: str, window: str | None, model: str | None, built: str | None, run_query: Any) -> str:
    """The query of the macro `penstock.labels`.

    Raises:
        CompilationError: with the message of the user's error.
    """
    from dbt_penstock import labels
    from penstock.monitoring.record.labels import Labels

    try:
        return labels.labels(Labels(kind, horizon, window, model=model), built, run_query)
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
            comments |= requests.view_of(request, definitions_of(graph)).comments
    return comments


def protected_columns(relation: Any, graph: Mapping[str, Any]) -> list[str]:
    """The columns of a relation that its YAML tags as protected."""
    from dbt_penstock import performance

    return performance.protected_columns(str(relation), graph)


def rows_of_spine(relation: str, run_query: Any) -> str:
    """The query of the data test of a training set's rows.

    Args:
        relation: The table.
        run_query: dbt's macro.
    """
    from dbt_penstock import generated_tests

    return generated_tests.differing_rows(relation, run_query)


def _of(module: str, name: str) -> Callable[..., str]:
    """A function of a module of `dbt_penstock`, whose user's errors become dbt's."""

    def asked(*arguments: Any) -> str:
        of = import_module(f"dbt_penstock.{module}")
        try:
            answer: str = getattr(of, name)(*arguments)
        except PenstockError as error:
            raise CompilationError(str(error)) from error
        return answer

    return asked


def tail(name: str) -> str:
    """The body of the SQL function `chi2_sf`, `norm_sf` or `ks_sf`, for Spark.

    Raises:
        CompilationError: with the message of the user's error.
    """
    from penstock.monitoring import tails

    try:
        return tails.body(name)
    except PenstockError as error:
        raise CompilationError(str(error)) from error


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
        return TestedModel(ref, graph, definitions_of(graph))
    except PenstockError as error:
        raise CompilationError(str(error)) from error


def definitions_of(graph: Mapping[str, Any]) -> Any:
    """The typed manifest of a graph; the last one is kept, for dbt compiles many models over one graph."""
    if _last.get("graph") is not graph:
        _asked.clear()
        from penstock.manifest.graph import manifest_from_graph

        _last.update(graph=graph, definitions=manifest_from_graph(graph))
    return _last["definitions"]
