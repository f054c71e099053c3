"""`predict('model', …)`, and what a model's own SQL function stands for, as Spark's analyser meets them."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from penstock.engines.builders import (
    Builder,
    kind_of,
    parameters_of,
    promote_builder,
    text_in,
    type_of,
    value_of,
)
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.scoring.functions import BODIES, CALL, SCHEMA, SCORE
from penstock.scoring.predict import Argument, Parameter, has_star, place_arguments, wrong_type
from penstock.scoring.score import Scoring

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def promote_predict(spark: SparkSession) -> None:
    """Make `predict` and what lies under it known to every session of this Spark."""
    for kind in (_Predict, _Call, _Score):
        promote_builder(spark, kind)


class _Predict(Builder):
    """A call of the function of that name, every argument by name."""

    name = "predict"
    usage = """
        predict(model, …) - The score of a registered model for a row. `model` is its name, a text literal. The inputs
        follow by position, as `name => value`, or as one `*` or `t.*`, which takes each from the column of its name.
        DESCRIBE FUNCTION ml.<model> tells a model's inputs.
    """

    def expression(self, arguments: list[Any]) -> Any:
        name = text_in(arguments[0]) if arguments else None
        if name is None:
            raise InvalidRequestError(
                "predict() needs the model's name as a text literal first",
                where=_call_text(self.jvm),
                fix="predict('model_name', argument, …)",
            )
        function = self.stored(SCHEMA, name)
        if function is None:
            models = _functions(self.session_state().catalog().externalCatalog())
            fix = f"train it first: dbt build --select {name}"
            raise UnknownNameError.of("model", name, models, where=_call_text(self.jvm), fix=fix)
        parameters, given = parameters_of(function), arguments[1:]
        told = [_argument(each) for each in given]
        placed = place_arguments(name, parameters, told, star=has_star(_call_text(self.jvm)))
        for parameter in parameters:
            position = placed.get(parameter.name)
            if position is not None and not self._fits(value_of(given[position]), parameter):
                raise wrong_type(name, parameters, parameter, told[position].type)
        return self.call(SCHEMA, name, {key: value_of(given[position]) for key, position in placed.items()})

    def _fits(self, value: Any, parameter: Parameter) -> bool:
        """Whether Spark's cast into the input keeps the value; a number of any kind may become a float."""
        cast = getattr(getattr(self.jvm.org.apache.spark.sql.catalyst.expressions, "Cast$"), "MODULE$")
        wanted = self.jvm.org.apache.spark.sql.types.DataType.fromDDL(parameter.type)
        safe: bool = cast.canUpCast(value.dataType(), wanted)
        floats = {"DOUBLE", "FLOAT", "ARRAY<FLOAT>", "ARRAY<DOUBLE>"}
        return safe or (parameter.type in floats and cast.canANSIStoreAssign(value.dataType(), wanted))


class _Call(Builder):
    """The body that a function has now: a session that has called it before remembers the façade, and no body."""

    name = CALL
    usage = f"{CALL}(function, …) - What a function of the schema {SCHEMA} stands for; call that function instead."

    def expression(self, arguments: list[Any]) -> Any:
        function, _, remembered = (text_in(arguments[0]) or "" if arguments else "").partition("/")
        # Once more where the façade named a body that was replaced and dropped in between.
        name, body = self._present(function, remembered) or self._present(function, remembered) or ("", None)
        if body is None:
            raise InvalidRequestError(
                f"function {SCHEMA}.{function} is not complete",
                where=f"{SCHEMA}.{function}",
                fix="penstock functions sync",
            )
        given = {each.key().lower(): each.value() for each in arguments[1:]}
        taken = {each.name: given.get(each.name.lower()) for each in parameters_of(body)}
        missing = [each for each, value in taken.items() if value is None]
        if missing:
            raise InvalidRequestError(
                f"function {SCHEMA}.{function} takes {', '.join(missing)} since this session called it first",
                where=f"{SCHEMA}.{function}",
                fix=f"connect anew, or write predict('{function}', …)",
            )
        return self.call(BODIES, name, taken)

    def _present(self, function: str, remembered: str) -> tuple[str, Any] | None:
        """The body that is newest: while the façade is made anew, its own text is ahead of what the catalog has."""
        facade = self.stored(SCHEMA, function) if function else None
        found = re.search(rf"\b{CALL}\('[^'/]*/([^']+)'", str(facade.exprText().get())) if facade is not None else None
        names = {remembered, *([found.group(1)] if found else [])}
        bodies = [(name, body) for name in names if (body := self.stored(BODIES, name)) is not None]
        return max(bodies, key=lambda each: each[1].createTimeMs(), default=None)


class _Score(Builder):
    """A call of the Python workers that has the type which the function returns."""

    name = SCORE
    usage = f"{SCORE}(asked, live, inputs, …) - Runs a model; call its function in the schema {SCHEMA} instead."

    def expression(self, arguments: list[Any]) -> Any:
        from pyspark import SparkContext

        asked = text_in(arguments[0]) if arguments else None
        if asked is None:
            raise InvalidRequestError(f"{SCORE}() is no function to call", where=_call_text(self.jvm), fix="predict(…)")
        # One version for all rows goes with the function: as an argument, its text would go with each row.
        live = text_in(arguments[1]) or ""
        return _udf(asked, live, SparkContext._active_spark_context.applicationId)._unwrapped._judf.builder(
            self.seq(arguments[2 if live else 1 :])
        )


@lru_cache(maxsize=1000)
def _udf(asked: str, live: str, _application: str) -> Any:
    """One for all statements of an application; it holds objects of that application's JVM."""
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import DataType

    from penstock.scoring.dispatchers import scoring_udf

    told = json.loads(asked)
    returns = DataType.fromDDL(told.pop("returns"))
    return scoring_udf(
        Scoring(**{**told, "parts": tuple(told["parts"])}, live=live, type=to_arrow_type(returns)), returns
    )


def _functions(catalog: Any) -> list[str]:
    if not catalog.databaseExists(SCHEMA):
        return []
    names = catalog.listFunctions(SCHEMA, "*")
    return [str(names.apply(i)) for i in range(names.length())]


def _argument(expression: Any) -> Argument:
    value = value_of(expression)
    column = value.name() if kind_of(value) == "AttributeReference" else None
    named = kind_of(expression) == "NamedArgumentExpression"
    return Argument(expression.key() if named else None, column, type_of(value))


def _call_text(jvm: Any) -> str:
    """The call as its writer wrote it; empty where it was made by no text (a DataFrame)."""
    origin = jvm.org.apache.spark.sql.catalyst.trees.CurrentOrigin.get()
    if not (origin.sqlText().isDefined() and origin.startIndex().isDefined() and origin.stopIndex().isDefined()):
        return ""
    return str(origin.sqlText().get()[origin.startIndex().get() : origin.stopIndex().get() + 1])
