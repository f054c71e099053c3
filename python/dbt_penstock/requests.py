"""A macro's request, as the dict that dbt keeps, to compiled SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidRequestError
from penstock.semantic import CompiledQuery, MetricRequest, MetricView, compile_request, metric_view
from penstock.training_sets import (
    CompiledTrainingSet,
    MetricFeature,
    Spine,
    TrainingSetRequest,
    compile_training_set,
    parse_feature,
    types_of_contracts,
)

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest


def compiled(
    request: Mapping[str, Any], definitions: SemanticManifest, graph: Mapping[str, Any]
) -> CompiledQuery | CompiledTrainingSet | MetricView:
    """Compile a request for metrics, for a training set or for a metric view to what Spark reads.

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
    return compile_training_set(definitions, _training_set(request, graph), "spark")


def text_of(answer: CompiledQuery | CompiledTrainingSet | MetricView) -> str:
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
    request: Mapping[str, Any], answer: CompiledQuery | CompiledTrainingSet | MetricView
) -> tuple[str, ...]:
    """The metrics that a request names, or that its answer has without their being named."""
    if isinstance(answer, MetricView):
        return answer.metrics
    if request["kind"] == "metrics":
        return tuple(request["metrics"])
    features = [parse_feature(text) for text in request["features"]]
    return tuple(feature.metric for feature in features if isinstance(feature, MetricFeature))


def _metrics(request: Mapping[str, Any]) -> MetricRequest:
    return MetricRequest(
        metrics=_texts(request, "metrics"),
        group_by=_texts(request, "group_by"),
        where=_texts(request, "where"),
        order_by=_texts(request, "order_by"),
        limit=request["limit"],
    )


def _training_set(request: Mapping[str, Any], graph: Mapping[str, Any]) -> TrainingSetRequest:
    if not isinstance(request["entities"], Mapping):
        raise InvalidRequestError(
            "entities must be a mapping", where="penstock.training_set", fix="entities={'carrier': 'carrier_code'}"
        )
    return TrainingSetRequest(
        spine=Spine(request["spine"], request["at"], dict(request["entities"]), _texts(request, "columns")),
        features=_texts(request, "features"),
        types=types_of_contracts(graph),
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
