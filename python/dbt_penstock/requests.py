"""A macro's request, as the dict that dbt keeps, to compiled SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.manifest.model import SemanticManifest

_RUN_NOTHING = ("compile", "generate", "list", "parse")


def compile_request(request: Mapping[str, Any], definitions: SemanticManifest, dialect: str) -> Any:
    """Compile a request for metrics or for a training set.

    Returns:
        What the compiler gave: its `sql`, and the `node_ids` of the dbt models that it reads.

    Raises:
        PenstockError: when the request has no answer.
    """
    if request["kind"] == "metrics":
        from penstock.semantic import MetricRequest
        from penstock.semantic import compile_request as compile_metrics

        return compile_metrics(definitions, metric_request(request), dialect)
    raise InvalidRequestError(f"unknown kind of request '{request['kind']}'")


def predict_sql(request: Mapping[str, Any]) -> str:
    """The SQL of a `penstock.predict` call: a call of the model's own function.

    Commands that run nothing (`dbt compile`, `dbt docs generate`) may meet a model that was never trained; the call is
    then left as it was written.

    Raises:
        UnknownNameError: when no version of the model is live and the SQL is about to run.
        InvalidRequestError: when the arguments are no SQL, or too many.
    """
    from dbt.flags import get_flags
    from pyspark.sql import SparkSession
    from sqlglot import exp

    from penstock.registry.promote import live_inputs, live_models
    from penstock.scoring.predict import parse_statement, rewrite_predict

    model, arguments = request["model"], request["arguments"]
    written = f"predict({', '.join([exp.Literal.string(model).sql('spark'), *arguments])})"
    tree = parse_statement(f"SELECT {written}")
    spark = SparkSession.getActiveSession()
    inputs = live_inputs(spark, model) if spark else None
    if inputs is None:
        if get_flags().WHICH in _RUN_NOTHING:
            return written
        raise UnknownNameError.of(
            "model", model, live_models(spark) if spark else (), fix=f"train it first: dbt build --select {model}"
        )
    return str(rewrite_predict(tree, lambda _: inputs).expressions[0].sql("spark"))
