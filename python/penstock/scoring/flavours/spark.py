"""Pipelines of Spark ML: they are scored in a query's plan, and a worker has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from penstock.scoring.failures import ModelFailed
from penstock.scoring.flavours.logged import Logged, Scoring
from penstock.scoring.spark_ml.opened import Opened, open_pipeline

if TYPE_CHECKING:
    import pyarrow as pa


def open_native(logged: Logged) -> Opened:
    """The pipeline, and the table from which its expressions are taken; it raises what `open_pipeline` does."""
    return open_pipeline(logged)


def scoring(native: Opened, logged: Logged) -> Scoring:
    """What the pipeline gives; a batch of it is refused."""

    def refused(table: pa.Table, params: Any) -> NoReturn:
        del table, params
        raise ModelFailed("a Spark ML pipeline is scored in the plan of a query", where=logged.source, fix="predict(…)")

    return Scoring(native.outputs.fields, refused, classes=native.outputs.classes)
