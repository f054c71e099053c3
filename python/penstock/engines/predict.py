"""`predict('model', …)`, and what a model's own SQL function stands for, as Spark's analyser meets them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from penstock.engines.asker import asker
from penstock.engines.builders import (
    Builder,
    kind_of,
    parameters_of,
    promote_builder,
    text_in,
    types_of,
)
from penstock.engines.counted import Counted
from penstock.engines.expensive import expensive
from penstock.engines.java import CATALYST, Java
from penstock.engines.model_tables import model_tables
from penstock.engines.noted import Noted, note
from penstock.engines.spark_ml import SparkMl
from penstock.engines.usage import ledger
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.scoring.bodies import average
from penstock.scoring.declared import Function
from penstock.scoring.functions import CALL, SCHEMA, SCORE
from penstock.scoring.live import Held
from penstock.scoring.predict import Argument, has_star, place_arguments, wrong_type
from penstock.scoring.usage import UNCOUNTED, Asker, Use

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession


def promote_predict(spark: SparkSession) -> None:
    """Make `predict` and what lies under it known to every session of this Spark."""
    for kind in (_Predict, _PredictAverage, _Call, _Score, Counted, SparkMl):
        promote_builder(spark, kind)


class _Functions(Builder):
    """What calls of models' functions stand for."""

    def __init__(self, jvm: Any) -> None:
        super().__init__(jvm)
        self._tables = model_tables(self.java)

    def scored(self, name: str, given: dict[str, Any], *, whole: bool) -> Any:
        """A call, by the versions that are live now.

        Args:
            name: The function's.
            given: The arguments' expressions, by the name of their input or param.
            whole: Whether an argument stands for each input that the caller knows, or only for those that are not NULL.

        Raises:
            PenstockError: when there is no such function, no version under its alias, or the version takes an input
                that the caller cannot know of.
        """
        tables = self._tables.now()
        function = tables.function(name)
        if function is None:
            raise InvalidRequestError(
                f"function {SCHEMA}.{name} is not complete", where=f"{SCHEMA}.{name}", fix="penstock functions sync"
            )
        held, who = self._tables.held(function), asker(self.java)
        text = tables.body(function, held, given, who)
        known = {each.lower() for each in given}
        inputs = held[function.alias].description.inputs
        missing = [each.name for each in inputs if (whole or each.required) and each.name.lower() not in known]
        if missing:
            raise InvalidRequestError(
                f"function {SCHEMA}.{name} takes {', '.join(missing)} since this session called it first",
                where=f"{SCHEMA}.{name}",
                fix=f"connect anew, or write predict('{name}', …)",
            )
        self.planned(function, held, who, text, tables.uses)
        return self.parsed(text, given)

    def planned(self, function: Function, held: Mapping[str, Held], who: Asker, text: str, uses: set[Use]) -> None:
        """Count the statement for each version that the function uses, once; or note the call, for its price."""
        from pyspark import SparkContext

        mark = SparkContext._active_spark_context.getLocalProperty(UNCOUNTED)
        if mark:
            note(mark, Noted(function, held, text))
            return
        for each in held.values():
            use = Use(function.model, each.live.version, function.name, each.live.engine, who.user, who.node)
            if use not in uses:
                uses.add(use)
                ledger().planned(use)


@dataclass(frozen=True)
class _Placed:
    """A call by the model's name.

    Attributes:
        name: In the call.
        function: The function of that name, as the catalog has it.
        values: The argument of each input that is given.
        shown: The arguments as a column's name has them.
        is_deterministic: Whether they give the same whenever they are evaluated.
    """

    name: str
    function: Any
    values: dict[str, Any]
    shown: str
    is_deterministic: bool


class _Placing(_Functions):
    """A call by the model's name, whose arguments are placed and checked."""

    def __init__(self, jvm: Any) -> None:
        super().__init__(jvm)
        self._known_casts: dict[tuple[str, str], bool] = {}

    def placed(self, arguments: list[Any]) -> _Placed:
        """What is called, with what.

        Raises:
            PenstockError: when there is no such function, or the arguments are not those that it takes.
        """
        name = text_in(arguments[0]) if arguments else None
        if name is None:
            raise InvalidRequestError(
                f"{self.name}() needs the model's name as a text literal first",
                where=_call_text(self.java),
                fix=f"{self.name}('model_name', argument, …)",
            )
        function = self.stored(SCHEMA, name)
        if function is None:
            models = _functions(self.session_state().catalog().externalCatalog())
            fix = f"train it first: dbt build --select {name}"
            raise UnknownNameError.of("model", name, models, where=_call_text(self.java), fix=fix)
        names = [str(each.key()) if kind_of(each) == "NamedArgumentExpression" else None for each in arguments[1:]]
        values = [each.value() if key else each for key, each in zip(names, arguments[1:], strict=True)]
        columns = [str(each.name()) if kind_of(each) == "AttributeReference" else None for each in values]
        struct = self.struct(values)
        parameters = parameters_of(function)
        told = [Argument(*each) for each in zip(names, columns, types_of(struct), strict=True)]
        placed = place_arguments(name, parameters, told, star=has_star(_call_text(self.java)))
        for parameter in parameters:
            position = placed.get(parameter.name)
            if position is not None and not self._fits(values[position], told[position].type, parameter.type):
                raise wrong_type(name, parameters, parameter, told[position].type)
        given = {key: values[at] for key, at in placed.items()}
        shown = [columns[at] or self.shown(values[at]) for at in placed.values()]
        return _Placed(name, function, given, ", ".join(shown), bool(struct.deterministic()))

    def _fits(self, argument: Any, given: str, wanted: str) -> bool:
        """Whether Spark's cast into the input keeps the value; a number of any kind may become a float."""
        fits = self._known_casts.get((given, wanted))
        if fits is None:
            cast = self.java.the(f"{CATALYST}.expressions.Cast")
            types = argument.dataType(), self.java.call("org.apache.spark.sql.types.DataType", "fromDDL", wanted)
            floats = {"DOUBLE", "FLOAT", "ARRAY<FLOAT>", "ARRAY<DOUBLE>"}
            fits = bool(cast.canUpCast(*types) or (wanted in floats and cast.canANSIStoreAssign(*types)))
            self._known_casts[given, wanted] = fits
        return fits


class _Predict(_Placing):
    """A call of the function of that name."""

    name = "predict"
    usage = """
        predict(model, …) - The score of a registered model for a row. `model` is its name, a text literal. The inputs
        follow by position, as `name => value`, or as one `*` or `t.*`, which takes each from the column of its name.
        DESCRIBE FUNCTION ml.<model> tells a model's inputs.
    """

    def expression(self, arguments: list[Any]) -> Any:
        call = self.placed(arguments)
        if f"{CALL}(" in str(call.function.exprText().get()) and call.is_deterministic:
            # Not by way of the function, which gives each call arguments of its own: so equal calls are made once.
            return self.named(call.function, call.shown, self.scored(call.name, call.values, whole=False))
        return self.call([SCHEMA, call.name], call.values)


class _PredictAverage(_Placing):
    """The average of a model's scores over a group; of a linear model, from averages of its inputs."""

    name = "predict_avg"
    usage = """
        predict_avg(model, …) - AVG(predict(model, …)). Where the score is a sum of its inputs' terms, no row is scored:
        it follows from averages of the inputs and from the shares of their levels.
    """

    def expression(self, arguments: list[Any]) -> Any:
        call = self.placed(arguments)
        tables = self._tables.now()
        declared = tables.function(call.name)
        held = {} if declared is None else self._tables.held(declared)
        text = None if declared is None else average(declared, held, call.values)
        if declared is not None and text is not None and call.is_deterministic:
            self.planned(declared, held, asker(self.java), "", tables.uses)
            return self.parsed(text, call.values)
        return self.call(["avg"], {"": self.call([SCHEMA, call.name], call.values)})


class _Call(_Functions):
    """What a function of a model stands for now: a session that has called it before remembers its text."""

    name = CALL
    usage = f"{CALL}(function, …) - What a function of the schema {SCHEMA} stands for; call that function instead."

    def expression(self, arguments: list[Any]) -> Any:
        function = (text_in(arguments[0]) or "") if arguments else ""
        given = {each.key(): each.value() for each in arguments[1:]}
        return self.scored(function, given, whole=True)


class _Score(Builder):
    """A call of the Python workers that has the type which the function returns."""

    name = SCORE
    usage = f"{SCORE}(asked, …) - Runs a model; call its function in the schema {SCHEMA} instead."

    def expression(self, arguments: list[Any]) -> Any:
        from pyspark import SparkContext

        asked = text_in(arguments[0]) if arguments else None
        if asked is None:
            raise InvalidRequestError(
                f"{SCORE}() is no function to call", where=_call_text(self.java), fix="predict(…)"
            )
        udf = udf_of(asked, SparkContext._active_spark_context.applicationId)._unwrapped._judf
        return expensive(self.java, udf.builder(self.java.seq(arguments[1:])))


@lru_cache(maxsize=1000)
def udf_of(asked: str, _application: str) -> Any:
    """What workers run for a call: one for all statements of an application, whose JVM's objects it holds."""
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import DataType

    from penstock.scoring.dispatchers import Call, scoring_udf

    told = json.loads(asked)
    returns = DataType.fromDDL(told["returns"])
    return scoring_udf(Call.of(told, to_arrow_type(returns)), returns, ledger().counted)


def _functions(catalog: Any) -> list[str]:
    if not catalog.databaseExists(SCHEMA):
        return []
    names = catalog.listFunctions(SCHEMA, "*")
    return [str(names.apply(i)) for i in range(names.length())]


def _call_text(java: Java) -> str:
    """The call as its writer wrote it; empty where it was made by no text (a DataFrame)."""
    origin = java.call(f"{CATALYST}.trees.CurrentOrigin", "get")
    text, start, stop = origin.sqlText(), origin.startIndex(), origin.stopIndex()
    if not (text.isDefined() and start.isDefined() and stop.isDefined()):
        return ""
    return str(text.get()[start.get() : stop.get() + 1])
