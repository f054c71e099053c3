"""The expressions of Spark ML's stages, from stages that need no training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as f

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Input
from penstock.scoring.spark_ml.plan import empty_table, expression_of, transform

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

INPUTS = (Input("the size.x", "BIGINT", False), Input("kind", "STRING", False))


def pipeline(*more: Any, invalid: str = "keep") -> Any:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import StringIndexerModel, VectorAssembler

    index = StringIndexerModel.from_labels(["x", "y"], inputCol="kind", outputCol="index", handleInvalid=invalid)
    together = VectorAssembler(inputCols=["index", "size"], outputCol="features", handleInvalid="keep")
    return PipelineModel([PipelineModel([index]), *more, together])


def renamed() -> Any:
    from pyspark.ml.feature import SQLTransformer

    return SQLTransformer(statement="SELECT *, `the size.x` * 2 AS size FROM __THIS__")


def score(spark: SparkSession, model: Any, rows: DataFrame) -> list[Any]:
    """The rows' features by the pipeline's expression, summed in an aggregate as text."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import Column

    table = transform(model, empty_table(spark, INPUTS, []), where="here")
    expression = expression_of(table, vector_to_array("features").cast("string"), where="here")
    jvm: Any = spark._jvm
    given = rows._jdf.queryExecution().analyzed().output()
    bound = expression.bound(jvm, {given.apply(i).name(): given.apply(i) for i in range(given.length())})
    column = Column(jvm.org.apache.spark.sql.classic.ExpressionUtils.column(bound))
    return rows.agg(f.sort_array(f.collect_list(column))).collect()[0][0]


def test_a_chain_of_stages_is_one_expression(spark: SparkSession) -> None:
    from pyspark.ml.functions import vector_to_array

    rows = spark.createDataFrame(
        [(1, "x"), (None, "y"), (3, "never seen"), (4, None)], "`the size.x` bigint, kind string"
    )
    model = pipeline(renamed())
    expected = model.transform(rows).select(vector_to_array("features").cast("string")).collect()
    assert score(spark, model, rows) == sorted(row[0] for row in expected)


def test_what_is_no_chain_of_projections(spark: SparkSession) -> None:
    from pyspark.ml.feature import SQLTransformer

    rows = spark.createDataFrame([], "`the size.x` bigint, kind string")
    for model, message in (
        (pipeline(renamed(), invalid="skip"), "StringIndexerModel with handleInvalid='skip' drops rows"),
        (
            pipeline(SQLTransformer(statement="SELECT MAX(kind) AS kind, 1 AS size FROM __THIS__")),
            r"SQLTransformer does more than that \(its plan has: Aggregate\)",
        ),
        (pipeline(SQLTransformer(statement="SELECT *, rand() AS size FROM __THIS__")), "other values each time"),
        (
            pipeline(),
            r"cannot be planned from the types of the inputs alone: (.|\n)*size(.|\n)*fix: log the model with",
        ),
    ):
        with pytest.raises(InvalidDefinitionError, match=message):
            score(spark, model, rows)
