"""Functions that Spark's analyser replaces: a Python object makes an expression of a call's arguments.

Spark calls a function's builder with the arguments, already analysed, and analyses on with what the builder returns.
The builders are Python, called over py4j, and every session of this Spark knows them. This is internal API of Spark
4.2, kept to this file.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from penstock.engines.spark import register_builtin
from penstock.engines.told import OUR_ERROR
from penstock.errors import PenstockError
from penstock.scoring.predict import Parameter

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Builder:
    """A Scala `Seq[Expression] => Expression`; the subclass says what a call becomes.

    Attributes:
        name: The function's name.
        usage: What DESCRIBE FUNCTION tells.
    """

    name: str
    usage: str

    def __init__(self, jvm: Any) -> None:
        self.jvm = jvm

    def expression(self, arguments: list[Any]) -> Any:
        """What a call with these arguments becomes.

        Raises:
            PenstockError: it reaches the user as the error of the statement.
        """
        raise NotImplementedError

    def apply(self, expressions: Any) -> Any:
        """What Spark calls; a user's error is raised inside Spark."""
        from py4j.protocol import Py4JJavaError

        try:
            return self.expression([expressions.apply(i) for i in range(expressions.length())])
        except PenstockError as error:
            raise Py4JJavaError(str(error), self._java_error(str(error))) from None

    class Java:
        """What py4j wants to know of a Python object that Java calls."""

        implements = ("scala.Function1",)

    def session_state(self) -> Any:
        """Of the session that analyses now: the one that promoted the function may have ended since."""
        return self.jvm.org.apache.spark.sql.SparkSession.active().sessionState()

    def call(self, name: list[str], arguments: dict[str, Any]) -> Any:
        """A call of a function, each argument by name, or by position where its name is empty, for Spark to resolve."""
        catalyst = self.jvm.org.apache.spark.sql.catalyst
        named = [
            catalyst.expressions.NamedArgumentExpression(key, value) if key else value
            for key, value in arguments.items()
        ]
        nothing = self.jvm.scala.Option.empty
        return catalyst.analysis.UnresolvedFunction(
            self.seq(name), self.seq(named), False, nothing(), nothing(), self.seq([]), False
        )

    def named(self, function: Any, arguments: list[Any], expression: Any) -> Any:
        """An expression that plans and columns show as a call of a persistent function."""
        catalyst = self.jvm.org.apache.spark.sql.catalyst
        pretty = catalyst.util.package.toPrettySQL
        shown = [catalyst.expressions.PrettyAttribute(pretty(each, True), each.dataType()) for each in arguments]
        return catalyst.analysis.SQLScalarFunction(function, self.seq(shown), expression)

    def parsed(self, text: str, arguments: dict[str, Any]) -> Any:
        """An expression, from SQL in which each argument stands as the column of its name, for Spark to resolve."""
        analysis = self.jvm.org.apache.spark.sql.catalyst.analysis
        places = self.jvm.java.util.HashMap()
        for name, value in arguments.items():
            places.put(analysis.UnresolvedAttribute(self.seq([name])), value)
        # A map of Scala's is a partial function: what stands in it is replaced, in one call.
        replaced = self.jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(places)
        return self.session_state().sqlParser().parseExpression(text).transformUp(replaced)

    def stored(self, schema: str, name: str) -> Any | None:
        """A persistent function as the catalog has it now, whatever this session remembers; or None."""
        # The session's own catalog would answer from what it remembers.
        catalog = self.session_state().catalog().externalCatalog()
        if not (catalog.databaseExists(schema) and catalog.functionExists(schema, name)):
            return None
        companion = getattr(self.jvm.org.apache.spark.sql.catalyst.catalog, "UserDefinedFunction$")
        stored = catalog.getFunction(schema, name)
        return getattr(companion, "MODULE$").fromCatalogFunction(stored, self.session_state().sqlParser())

    def seq(self, items: list[Any]) -> Any:
        """A Scala sequence."""
        values = self.jvm.java.util.ArrayList()
        for item in items:
            values.append(item)
        return self.jvm.org.apache.spark.api.python.PythonUtils.toSeq(values)

    def _java_error(self, message: str) -> Any:
        """An unchecked exception of Spark, for a proxy may raise no other."""
        parameters = self.jvm.java.util.HashMap()
        parameters["errorMessage"] = message
        contexts = self.jvm.java.lang.reflect.Array.newInstance(
            self.jvm.java.lang.Class.forName("org.apache.spark.QueryContext"), 0
        )
        to_scala = self.jvm.org.apache.spark.api.python.PythonUtils.toScalaMap
        return self.jvm.org.apache.spark.SparkRuntimeException(OUR_ERROR, to_scala(parameters), None, contexts, "")


def promote_builder(spark: SparkSession, kind: type[Builder]) -> None:
    """Make a builder's function known to every session of this Spark, unless it is already."""
    from pyspark.java_gateway import ensure_callback_server_started

    if spark.catalog.functionExists(kind.name):
        return
    gateway: Any = spark.sparkContext._gateway
    gateway.callback_server_parameters.propagate_java_exceptions = True
    ensure_callback_server_started(gateway)
    # It logs each error that a builder raises, and the error reaches the user through Spark.
    logging.getLogger("py4j.clientserver").setLevel(logging.CRITICAL)
    jvm: Any = spark._jvm
    usage = " ".join(kind.usage.split())
    info = jvm.org.apache.spark.sql.catalyst.expressions.ExpressionInfo(kind.__module__, None, kind.name, usage, "")
    register_builtin(spark, kind.name, info, kind(jvm))


def parameters_of(function: Any) -> list[Parameter]:
    """The parameters of a persistent SQL function."""
    fields = list(function.inputParam().get().fields()) if function.inputParam().isDefined() else []
    return [Parameter(f.name(), f.dataType().sql(), f.getDefault().isDefined()) for f in fields]


def kind_of(expression: Any) -> str:
    """The class of an expression."""
    return str(expression.getClass().getSimpleName())


def type_of(expression: Any) -> str:
    """The SQL type of an expression."""
    return str(expression.dataType().sql())


def value_of(expression: Any) -> Any:
    """An argument without its name."""
    return expression.value() if kind_of(expression) == "NamedArgumentExpression" else expression


def text_in(expression: Any) -> str | None:
    """The text of a literal; None of anything else."""
    is_text = kind_of(expression) == "Literal" and type_of(expression) == "STRING" and expression.value() is not None
    return str(expression.value().toString()) if is_text else None
