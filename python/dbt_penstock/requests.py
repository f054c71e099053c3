"""A macro's request, as the dict that dbt keeps, to compiled SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError, InvalidRequestError
from penstock.semantic import CompiledQuery, MetricRequest, MetricView, compile_request, metric_view
from penstock.semantic.calculations import parse_metric
from penstock.semantic.key_checks import key_checks
from penstock.semantic.validate import validate
from penstock.training_sets import (
    ColumnFeature,
    CompiledTrainingSet,
    asked_of,
    compile_training_set,
    parse_feature,
    parse_label,
    types_of_contracts,
)

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest


@dataclass(frozen=True)
class Checks:
    """The data test of all definitions: its SQL, and the dbt nodes that it reads."""

    sql: str
    node_ids: tuple[str, ...]


def compiled(
    request: Mapping[str, Any], definitions: SemanticManifest, graph: Mapping[str, Any]
) -> CompiledQuery | CompiledTrainingSet | MetricView | Checks:
    """Compile a request for metrics, a training set, a metric view or the test of all definitions to what Spark reads.

    Args:
        request: As the macros pass it: a `kind`, and the arguments of that macro.
        definitions: The project's metrics and semantic models.
        graph: dbt's `graph`, for the types of columns.

    Raises:
        PenstockError: when the request has no answer.
    """
    if request["kind"] == "metrics":
        return compile_request(definitions, _metrics(request), "spark")
    if request["kind"] == "metric_view":
        return view_of(request, definitions)
    if request["kind"] == "definitions":
        _check(definitions, graph)
        return Checks(key_checks(definitions, "spark"), described_nodes(definitions))
    return training_set(request, definitions, graph)


def training_set(
    request: Mapping[str, Any], definitions: SemanticManifest, graph: Mapping[str, Any]
) -> CompiledTrainingSet:
    """The compiled training set of a request of this kind. Arguments and errors as for `compiled`."""
    known, asked = asked_of(definitions, request, types_of_contracts(graph))
    return compile_training_set(known, asked, "spark")


def described_nodes(definitions: SemanticManifest) -> tuple[str, ...]:
    """The dbt nodes under all semantic models and time spines."""
    nodes = [*(m.node_id for m in definitions.models.values()), *(s.node_id for s in definitions.time_spines)]
    return tuple(dict.fromkeys(node for node in nodes if node))


def _check(definitions: SemanticManifest, graph: Mapping[str, Any]) -> None:
    """Refuse definitions that would fail when they are asked for."""
    problems = validate(definitions, types_of_contracts(graph))
    if problems:
        lines = [f"{p.where}: {p.what}" + (f" (did you mean {', '.join(p.near)}?)" if p.near else "") for p in problems]
        raise InvalidDefinitionError(
            f"{len(problems)} definitions would fail when they are asked for\n  " + "\n  ".join(lines),
            fix="penstock validate tells each with its fix",
        )


def text_of(answer: CompiledQuery | CompiledTrainingSet | MetricView | Checks) -> str:
    """What the model's body is: SQL, or the YAML of a metric view."""
    return answer.yaml if isinstance(answer, MetricView) else answer.sql


def view_of(request: Mapping[str, Any], definitions: SemanticManifest) -> MetricView:
    """The metric view that a request of this kind asks for.

    Raises:
        PenstockError: when there is no such view.
    """
    if not isinstance(request["semantic_model"], str):
        raise InvalidRequestError(
            "a metric view is of a semantic model, by its name",
            where="penstock.metric_view",
            fix="penstock.metric_view('flights')",
        )
    asked = {part: _texts(request, part) for part in ("metrics", "dimensions")}
    return metric_view(definitions, request["semantic_model"], **asked)


def metric_names(
    request: Mapping[str, Any],
    answer: CompiledQuery | CompiledTrainingSet | MetricView | Checks,
    definitions: SemanticManifest,
) -> tuple[str, ...]:
    """The metrics that a request names, or that its saved query or its answer has without their being named."""
    if isinstance(answer, MetricView):
        return answer.metrics
    if request["kind"] == "metrics" and request["saved_query"]:
        return definitions.saved_queries[request["saved_query"].lower()].metrics
    if request["kind"] == "metrics":
        return tuple(parse_metric(text)[0] for text in request["metrics"])
    _, asked = asked_of(definitions, request, {})
    parts = [*map(parse_feature, asked.features), *map(parse_label, asked.labels)]
    return tuple(part.metric for part in parts if not isinstance(part, ColumnFeature))


def _metrics(request: Mapping[str, Any]) -> MetricRequest:
    return MetricRequest(
        metrics=_texts(request, "metrics"),
        group_by=_texts(request, "group_by"),
        where=_texts(request, "where"),
        subtotals=tuple(_texts({**request, "subtotals": kept}, "subtotals") for kept in request["subtotals"]),
        known_at=request["known_at"],
        order_by=_texts(request, "order_by"),
        limit=request["limit"],
        saved_query=request["saved_query"],
    )


def _texts(request: Mapping[str, Any], argument: str) -> tuple[str, ...]:
    values = request[argument]
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise InvalidRequestError(
            f"{argument} must be a list of texts, not {values!r}",
            where=f"penstock.{request['kind']}",
            fix=f"{argument}=['…']",
        )
    return tuple(values)


def predict_sql(request: Mapping[str, Any]) -> str:
    """The call of `predict()` that a `penstock.predict` macro stands for; Spark resolves it when the statement runs.

    Raises:
        InvalidRequestError: when the arguments are no texts.
    """
    from sqlglot import exp

    return f"predict({', '.join([exp.Literal.string(request['model']).sql('spark'), *_texts(request, 'arguments')])})"
