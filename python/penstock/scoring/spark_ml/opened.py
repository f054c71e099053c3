"""A logged pipeline of Spark ML, opened in the process that has the Spark session."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Description
from penstock.scoring.flavours.logged import Logged
from penstock.scoring.live import Live
from penstock.scoring.spark_ml.outputs import Outputs, outputs_of
from penstock.scoring.spark_ml.parts import Asked, result_of
from penstock.scoring.spark_ml.plan import Expression, empty_table, expression_of, quoted, transform

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# The engine of a version that is scored this way.
SPARK_ML = "spark"


@dataclass(frozen=True)
class Opened:
    """A pipeline that can be put into plans.

    Attributes:
        table: A table of its inputs, without rows, that it has transformed.
        outputs: Where that table has what it gives.
        source: Where its files are, for errors.
    """

    table: DataFrame
    outputs: Outputs
    source: str

    def expression(self, asked: Asked, live: Live, description: Description) -> Expression:
        """What a call asks of it, over its inputs.

        Args:
            asked: What the function returns, and its policies.
            live: The version that scores.
            description: Of the version.

        Raises:
            InvalidDefinitionError: when it has no such part.
        """
        result = result_of(asked, live, description, self.outputs, self.table)
        return expression_of(self.table, result, where=self.source)


def open_pipeline(logged: Logged) -> Opened:
    """Read a pipeline from its files.

    Args:
        logged: Its files.

    Raises:
        InvalidDefinitionError: when this process has no Spark session, as in a worker, or the pipeline does more than
            give the same values for each row whenever it is asked.
    """
    import mlflow
    from mlflow.types.schema import SparkMLVector
    from pyspark.sql import functions as f

    spark = _session(logged)
    logging.getLogger("mlflow.spark").setLevel(logging.WARNING)  # it tells of each copy that it need not make
    model = mlflow.spark.load_model(str(logged.folder))
    if not hasattr(model, "stages"):
        raise InvalidDefinitionError(
            "a model of pyspark.ml.connect has no expressions",
            where=logged.source,
            fix="train it with pyspark.ml, and log its PipelineModel",
        )
    specs = logged.meta.get_input_schema().inputs
    vectors = [name for name, spec in zip(logged.names, specs, strict=True) if isinstance(spec.type, SparkMLVector)]
    table = transform(model, empty_table(spark, logged.inputs, vectors), where=logged.source)
    outputs = outputs_of(model, table, logged)
    columns = [quoted(each) for each in (*outputs.columns, outputs.probability) if each]
    # What has no expression is told when the version is registered, not when somebody calls it.
    expression_of(table, f.struct(*columns), where=logged.source)
    return Opened(table, outputs, logged.source)


def _session(logged: Logged) -> SparkSession:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is None:
        raise InvalidDefinitionError(
            "a Spark ML pipeline is scored in the plan of a query, and this process has no Spark session",
            where=logged.source,
            fix="as canary or shadow of a Spark ML version, name another of its kind",
        )
    return SparkSession.builder.getOrCreate()
