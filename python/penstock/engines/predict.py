"""`predict('model', …)` inside Spark: known to every session of this Spark, resolved when a statement is analysed.

Spark calls a function's builder with the arguments, already analysed, and analyses on with what the builder returns:
here a call of the model's own SQL function, every argument by name. The builder is Python, called over py4j. This is
internal API of Spark 4.2, kept to this one file.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from penstock.engines.spark import register_builtin
from penstock.engines.told import OUR_ERROR
from penstock.errors import InvalidRequestError, PenstockError, UnknownNameError
from penstock.scoring.functions import SCHEMA
from penstock.scoring.predict import Argument, Parameter, has_star, place_arguments, wrong_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "predict"
_USAGE = """
    predict(model, …) - The score of a registered model for a row. `model` is its name, a text literal. The inputs
    follow by position, as `name => value`, or as one `*` or `t.*`, which takes each from the column of its name.
    DESCRIBE FUNCTION ml.<model> tells a model's inputs.
"""


def promote_predict(spark: SparkSession) -> None:
    """Make `predict` known to every session of this Spark, unless it is already."""
    from pyspark.java_gateway import ensure_callback_server_started

    if spark.catalog.functionExists(NAME):
        return
    gateway: Any = spark.sparkContext._gateway
    gateway.callback_server_parameters.propagate_java_exceptions = True
    ensure_callback_server_started(gateway)
    # It logs each error that a builder raises, and the error reaches the user through Spark.
    logging.getLogger("py4j.clientserver").setLevel(logging.CRITICAL)
    jvm: Any = spark._jvm
    info = jvm.org.apache.spark.sql.catalyst.expressions.ExpressionInfo(
        __name__, None, NAME, " ".join(_USAGE.split()), ""
    )
    register_builtin(spark, NAME, info, _Builder(spark._jvm))


class _Builder:
    """A Scala `Seq[Expression] => Expression`."""

    def __init__(self, jvm: Any) -> None:
        self._jvm = jvm

    def apply(self, expressions: Any) -> Any:
        """The call of the model's own function; a user's error is raised inside Spark."""
        from py4j.protocol import Py4JJavaError

        try:
            return self._resolved([expressions.apply(i) for i in range(expressions.length())])
        except PenstockError as error:
            raise Py4JJavaError(str(error), self._java_error(str(error))) from None

    def _resolved(self, expressions: list[Any]) -> Any:
        if not expressions or _kind(expressions[0]) != "Literal" or _type(expressions[0]) != "STRING":
            raise InvalidRequestError(
                "predict() needs the model's name as a text literal first",
                where=_call_text(self._jvm),
                fix="predict('model_name', argument, …)",
            )
        model, given = expressions[0].value().toString(), expressions[1:]
        parameters = self._parameters(model)
        arguments = [_argument(each) for each in given]
        placed = place_arguments(model, parameters, arguments, star=has_star(_call_text(self._jvm)))
        for parameter in parameters:
            position = placed.get(parameter.name)
            if position is not None and not self._fits(_value(given[position]), parameter):
                raise wrong_type(model, parameters, parameter, arguments[position].type)
        return self._call(model, {name: _value(given[position]) for name, position in placed.items()})

    def _parameters(self, model: str) -> list[Parameter]:
        # The session that analyses now: the one that promoted may have ended since.
        state = self._jvm.org.apache.spark.sql.SparkSession.active().sessionState()
        some = self._jvm.scala.Option.apply
        identifier = self._jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(model, some(SCHEMA))
        if not state.catalog().functionExists(identifier):
            models = _models(state.catalog().externalCatalog())
            fix = f"train it first: dbt build --select {model}"
            raise UnknownNameError.of("model", model, models, where=_call_text(self._jvm), fix=fix)
        stored = state.catalog().getFunctionMetadata(identifier)
        companion = getattr(self._jvm.org.apache.spark.sql.catalyst.catalog, "UserDefinedFunction$")
        function = getattr(companion, "MODULE$").fromCatalogFunction(stored, state.sqlParser())
        fields = list(function.inputParam().get().fields()) if function.inputParam().isDefined() else []
        return [Parameter(f.name(), f.dataType().sql(), f.getDefault().isDefined()) for f in fields]

    def _fits(self, value: Any, parameter: Parameter) -> bool:
        """Whether Spark's cast into the input keeps the value; a number of any kind may become a float."""
        cast = getattr(getattr(self._jvm.org.apache.spark.sql.catalyst.expressions, "Cast$"), "MODULE$")
        wanted = self._jvm.org.apache.spark.sql.types.DataType.fromDDL(parameter.type)
        safe: bool = cast.canUpCast(value.dataType(), wanted)
        return safe or (parameter.type in {"DOUBLE", "FLOAT"} and cast.canANSIStoreAssign(value.dataType(), wanted))

    def _call(self, model: str, arguments: dict[str, Any]) -> Any:
        catalyst = self._jvm.org.apache.spark.sql.catalyst
        named = [catalyst.expressions.NamedArgumentExpression(name, value) for name, value in arguments.items()]
        nothing = self._jvm.scala.Option.empty
        return catalyst.analysis.UnresolvedFunction(
            self._seq([SCHEMA, model]), self._seq(named), False, nothing(), nothing(), self._seq([]), False
        )

    def _seq(self, items: list[Any]) -> Any:
        values = self._jvm.java.util.ArrayList()
        for item in items:
            values.append(item)
        return self._jvm.org.apache.spark.api.python.PythonUtils.toSeq(values)

    def _java_error(self, message: str) -> Any:
        """An unchecked exception of Spark, for a proxy may raise no other."""
        parameters = self._jvm.java.util.HashMap()
        parameters["errorMessage"] = message
        contexts = self._jvm.java.lang.reflect.Array.newInstance(
            self._jvm.java.lang.Class.forName("org.apache.spark.QueryContext"), 0
        )
        to_scala = self._jvm.org.apache.spark.api.python.PythonUtils.toScalaMap
        return self._jvm.org.apache.spark.SparkRuntimeException(OUR_ERROR, to_scala(parameters), None, contexts, "")

    class Java:
        """What py4j wants to know of a Python object that Java calls."""

        implements = ("scala.Function1",)


def _models(catalog: Any) -> list[str]:
    if not catalog.databaseExists(SCHEMA):
        return []
    names = catalog.listFunctions(SCHEMA, "*")
    return [str(names.apply(i)) for i in range(names.length())]


def _argument(expression: Any) -> Argument:
    named = _kind(expression) == "NamedArgumentExpression"
    value = _value(expression)
    column = value.name() if _kind(value) == "AttributeReference" else None
    return Argument(expression.key() if named else None, column, _type(value))


def _value(expression: Any) -> Any:
    return expression.value() if _kind(expression) == "NamedArgumentExpression" else expression


def _kind(expression: Any) -> str:
    return str(expression.getClass().getSimpleName())


def _type(expression: Any) -> str:
    return str(expression.dataType().sql())


def _call_text(jvm: Any) -> str:
    """The call as its writer wrote it; empty where it was made by no text (a DataFrame)."""
    origin = jvm.org.apache.spark.sql.catalyst.trees.CurrentOrigin.get()
    if not (origin.sqlText().isDefined() and origin.startIndex().isDefined() and origin.stopIndex().isDefined()):
        return ""
    return str(origin.sqlText().get()[origin.startIndex().get() : origin.stopIndex().get() + 1])
