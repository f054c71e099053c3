"""A pipeline's own expressions, taken from the plan of a table without rows that it has transformed.

Most of Spark ML's stages add columns and nothing else, so their plan is a chain of projections. The chain becomes one
expression over the inputs. This is internal API of Spark 4.2, kept to this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidDefinitionError
from penstock.scoring.contract import Input
from penstock.scoring.spark_ml.outputs import flat

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_LONGEST = 300  # of what Spark says


@dataclass(frozen=True)
class Expression:
    """An expression of Catalyst over named inputs.

    Attributes:
        java: The expression, in the JVM.
        attributes: The attribute that stands for each input.
    """

    java: Any
    attributes: Mapping[str, Any]

    def bound(self, jvm: Any, arguments: Mapping[str, Any]) -> Any:
        """The expression with the arguments of a call in the place of its inputs.

        Args:
            jvm: That of the expression.
            arguments: An expression for each input, of the input's type.
        """
        given = []
        for name, attribute in self.attributes.items():
            # The identity of the attribute tells which one the alias replaces.
            given.append(
                jvm.org.apache.spark.sql.catalyst.expressions.Alias(
                    arguments[name], name, attribute.exprId(), _seq(jvm, []), jvm.scala.Option.empty(), _seq(jvm, [])
                )
            )
        return _replaced(jvm, self.java, _seq(jvm, given))


def empty_table(spark: SparkSession, inputs: Sequence[Input], vectors: Sequence[str]) -> DataFrame:
    """A table of a model's inputs, without rows.

    Args:
        spark: Any session.
        inputs: The model's.
        vectors: Those that are vectors of Spark ML, which SQL gives as arrays.
    """
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as f
    from pyspark.sql.types import DataType, StructType

    schema = StructType()
    for each in inputs:
        schema.add(each.name, DataType.fromDDL(each.type))
    columns = {each.name: f.col(quoted(each.name)) for each in inputs}
    made = [array_to_vector(c).alias(name) if name in vectors else c for name, c in columns.items()]
    return spark.createDataFrame([], schema).select(*made)


def transform(model: Any, table: DataFrame, *, where: str) -> DataFrame:
    """What a pipeline makes of a table, stage by stage.

    Args:
        model: The `PipelineModel`.
        table: The `empty_table` of its inputs.
        where: The model, for errors.

    Raises:
        InvalidDefinitionError: when a stage does more than add columns to each row, or does not know its columns.
    """
    rows = _below_projections(_plan(table))
    for stage in flat(model):
        place = f"{where}, stage {stage.uid}"
        try:
            table = stage.transform(table)
        except Exception as error:
            said = " ".join(str(error).split())[:_LONGEST]
            raise InvalidDefinitionError(
                f"a stage cannot be planned from the types of the inputs alone: {said}",
                where=place,
                fix="log the model with a signature of the pipeline's own inputs; a vector whose size no stage knows"
                " needs a VectorSizeHint before it is assembled",
            ) from error
        below = _below_projections(_plan(table))
        if not below.equals(rows):
            raise _not_a_projection(stage, below.nodeName(), place)
    return table


def expression_of(table: DataFrame, column: Column, *, where: str) -> Expression:
    """A column over a transformed table, as one expression over the table's inputs.

    Args:
        table: What `transform` gave.
        column: Over its columns.
        where: The model, for errors.

    Raises:
        InvalidDefinitionError: when two evaluations for one row could differ.
    """
    jvm: Any = table.sparkSession._jvm
    plan = _plan(table.select(column.alias("part")))
    made = plan.projectList().head().child()
    while (plan := plan.child()).nodeName() == "Project":
        made = _replaced(jvm, made, plan.projectList())
    made = _deterministic(jvm, made)
    if not made.deterministic():
        raise InvalidDefinitionError(
            "the pipeline gives other values each time it is evaluated",
            where=where,
            fix="take rand(), uuid() and the like out of its SQLTransformer",
        )
    inputs = plan.output()
    attributes = [inputs.apply(i) for i in range(inputs.length())]
    return Expression(made, {str(each.name()): each for each in attributes})


def quoted(name: str) -> str:
    """A column's name as PySpark reads it, dots and all."""
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


def _plan(table: DataFrame) -> Any:
    """The analysed plan, without the names of views that a SQLTransformer makes."""
    jvm: Any = table.sparkSession._jvm
    analysis = jvm.org.apache.spark.sql.catalyst.analysis
    plan = table._jdf.queryExecution().analyzed()
    for rule in ("EliminateSubqueryAliases$", "EliminateView$"):
        plan = _object(analysis, rule).apply(plan)
    return plan


def _below_projections(plan: Any) -> Any:
    while plan.nodeName() == "Project":
        plan = plan.child()
    return plan


def _replaced(jvm: Any, expression: Any, aliases: Any) -> Any:
    """An expression with what each alias stands for in the place of the alias's attribute."""
    rule = _object(jvm.org.apache.spark.sql.catalyst.optimizer, "CollapseProject$")
    return rule.replaceAlias(expression, rule.getAliasMap(aliases))


def _deterministic(jvm: Any, expression: Any) -> Any:
    """The expression with Spark ML's own functions marked as what they are.

    VectorAssembler and StringIndexer mark theirs as not deterministic, only to keep the optimiser from evaluating them
    twice; but Spark refuses such expressions in aggregates and joins, and evaluates equal ones anew.
    """
    if expression.deterministic():
        return expression
    children = expression.children()
    made = [_deterministic(jvm, children.apply(i)) for i in range(children.length())]
    expression = expression.withNewChildren(_seq(jvm, made))
    if expression.getClass().getSimpleName() == "ScalaUDF":
        e = expression
        return e.copy(
            e.function(), e.dataType(), e.children(), e.inputEncoders(), e.outputEncoder(), e.udfName(), e.nullable(),
            True,
        )  # fmt: skip
    return expression


def _not_a_projection(stage: Any, node: str, where: str) -> InvalidDefinitionError:
    skips = stage.hasParam("handleInvalid") and stage.getOrDefault("handleInvalid") == "skip"
    return InvalidDefinitionError(
        f"a function gives one value for each row, and a {type(stage).__name__} "
        + ("with handleInvalid='skip' drops rows" if skips else f"does more than that (its plan has: {node})"),
        where=where,
        fix="fit it with handleInvalid='keep' or 'error'; on_null: skip leaves rows with a NULL unscored"
        if skips
        else "fit the pipeline without that stage, and apply it where the table is made",
    )


def _object(package: Any, name: str) -> Any:
    return getattr(getattr(package, name), "MODULE$")


def _seq(jvm: Any, items: list[Any]) -> Any:
    values = jvm.java.util.ArrayList()
    for item in items:
        values.append(item)
    return jvm.org.apache.spark.api.python.PythonUtils.toSeq(values)
