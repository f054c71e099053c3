"""Functions that Spark's analyser replaces: a Python object makes an expression of a call's arguments.

Spark calls a function's builder with the arguments, already analysed, and analyses on with what the builder returns.
The builders are Python, called over py4j, and every session of this Spark knows them. This is internal API of Spark
4.2, kept to this file.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from penstock.engines.java import CATALYST, Java, java
from penstock.engines.spark import register_builtin
from penstock.engines.told import OUR_ERROR
from penstock.errors import PenstockError
from penstock.scoring.predict import Parameter

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType, StructField


class Builder:
    """A Scala `Seq[Expression] => Expression`; the subclass says what a call becomes.

    Attributes:
        name: The function's name.
        usage: What DESCRIBE FUNCTION tells.
        java: The JVM of the sessions that call it.
    """

    name: str
    usage: str

    def __init__(self, jvm: Any) -> None:
        self.java: Java = java(jvm)

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
        return self.java.call("org.apache.spark.sql.SparkSession", "active").sessionState()

    def call(self, name: list[str], arguments: dict[str, Any]) -> Any:
        """A call of a function, each argument by name, or by position where its name is empty, for Spark to resolve."""
        named = [
            self.java.new(f"{CATALYST}.expressions.NamedArgumentExpression", key, value) if key else value
            for key, value in arguments.items()
        ]
        seq, nothing = self.java.seq, self.java.nothing()
        return self.java.new(
            f"{CATALYST}.analysis.UnresolvedFunction", seq(name), seq(named), False, nothing, nothing, seq([]), False
        )

    def named(self, function: Any, shown: str, expression: Any) -> Any:
        """An expression that plans and columns show as a call of a persistent function.

        Args:
            function: As the catalog has it.
            shown: The arguments as text.
            expression: What it stands for.
        """
        text = self.java.new(f"{CATALYST}.expressions.PrettyAttribute", shown, self._null())
        return self.java.new(f"{CATALYST}.analysis.SQLScalarFunction", function, self.java.seq([text]), expression)

    def shown(self, expression: Any) -> str:
        """An expression as Spark names a column by it."""
        return str(self.java.call(f"{CATALYST}.util.package", "toPrettySQL", expression, True))

    def struct(self, expressions: list[Any]) -> Any:
        """A struct of expressions; one call tells the types of all."""
        return self.java.the(f"{CATALYST}.expressions.CreateStruct").apply(self.java.seq(expressions))

    def parsed(self, text: str, arguments: dict[str, Any]) -> Any:
        """An expression, from SQL in which each argument stands as the column of its name, for Spark to resolve."""
        attribute = f"{CATALYST}.analysis.UnresolvedAttribute"
        places = {self.java.call(attribute, "quoted", name): value for name, value in arguments.items()}
        # A map is a partial function: what stands in it is replaced, in one call.
        return self.session_state().sqlParser().parseExpression(text).transformUp(self.java.map(places))

    def stored(self, schema: str, name: str) -> Any | None:
        """A persistent function as the catalog has it now, whatever this session remembers; or None."""
        # The session's own catalog would answer from what it remembers.
        state = self.session_state()
        catalog = state.catalog().externalCatalog()
        if not (catalog.databaseExists(schema) and catalog.functionExists(schema, name)):
            return None
        companion = self.java.the(f"{CATALYST}.catalog.UserDefinedFunction")
        return companion.fromCatalogFunction(catalog.getFunction(schema, name), state.sqlParser())

    def _null(self) -> Any:
        return self.java.the("org.apache.spark.sql.types.NullType")

    def _java_error(self, message: str) -> Any:
        """An unchecked exception of Spark, for a proxy may raise no other."""
        context = self.java.call("java.lang.Class", "forName", "org.apache.spark.QueryContext")
        none = self.java.call("java.lang.reflect.Array", "newInstance", context, 0)
        parameters = self.java.map({"errorMessage": message})
        return self.java.new("org.apache.spark.SparkRuntimeException", OUR_ERROR, parameters, None, none, "")


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
    info = java(jvm).new(f"{CATALYST}.expressions.ExpressionInfo", kind.__module__, None, kind.name, usage, "")
    register_builtin(spark, kind.name, info, kind(jvm))


def parameters_of(function: Any) -> list[Parameter]:
    """The parameters of a persistent SQL function."""
    if not function.inputParam().isDefined():
        return []
    fields = _fields(str(function.inputParam().get().json()))
    return [Parameter(each.name, sql_of(each.dataType), "default" in (each.metadata or {})) for each in fields]


def kind_of(expression: Any) -> str:
    """The class of an expression."""
    return str(expression.nodeName())


def types_of(struct: Any) -> list[str]:
    """The SQL types of a struct's fields."""
    return [sql_of(each.dataType) for each in _fields(str(struct.dataType().json()))]


def sql_of(kind: DataType) -> str:
    """A type as SQL has it."""
    text: str = kind.simpleString()
    return text if "struct" in text else text.upper()


def _fields(schema: str) -> list[StructField]:
    from pyspark.sql.types import StructType

    fields: list[StructField] = StructType.fromJson(json.loads(schema)).fields
    return fields


def text_in(expression: Any) -> str | None:
    """The text of a literal; None of anything else."""
    is_text = (
        kind_of(expression) == "Literal"
        and expression.dataType().typeName() == "string"
        and expression.value() is not None
    )
    return str(expression.value().toString()) if is_text else None
