"""What scoring in a statement will take, before it runs: the rows of each call, times the cost that was measured.

This is internal API of Spark 4.2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import exp, parse_one

from penstock.engines.builders import kind_of
from penstock.engines.noted import Noted, noting
from penstock.engines.predict import udf_of
from penstock.engines.row_counts import AT_MOST, EXACT, UNKNOWN, Rows, items, kind_of_plan, rows_of
from penstock.engines.told import told
from penstock.scoring.functions import ALIASES, SCORE, USAGE
from penstock.scoring.live import Live

# Under these, an operator has to give all its rows; under others it may be stopped early.
_TAKE_ALL = {"Project", "Filter", "Aggregate", "Sort", "Window", "ArrowEvalPython", "Union", "RepartitionByExpression"}


@dataclass(frozen=True)
class Priced:
    """A call of a model in a statement, by one version.

    Attributes:
        function: The function that is called.
        model: Whose version scores.
        version: Its number.
        alias: Under which it is live.
        engine: What scores it.
        rows: How many rows it will score; None where nobody can tell.
        bound: Whether that is `exact`, `at most` so many, or `unknown`.
        microseconds: CPU time a row, as the version's proof has it, or else as it was counted in `ml.usage`; None
            where neither is.
        seconds: CPU time of the call; None where rows or cost are unknown.
    """

    function: str
    model: str
    version: int
    alias: str
    engine: str
    rows: int | None
    bound: str
    microseconds: float | None
    seconds: float | None


def price(spark: Any, statement: str) -> list[Priced]:
    """The price of each call of a model in a statement, which is analysed and does not run.

    Args:
        spark: A session.
        statement: One statement of Spark SQL.

    Raises:
        PenstockError: when Spark refuses the statement.
    """
    try:
        with noting(spark) as calls:
            analyzed = _execution(spark, _parsed(spark, statement)).analyzed()
            query = analyzed.query() if _writes_query(analyzed) else analyzed
            optimized = _execution(spark, query).optimizedPlan()
            found = list(_scored(spark, calls, query, optimized))
    except Exception as error:
        shown = told(error, spark)
        if shown is None:
            raise
        raise shown from error
    return [_priced(spark, call, live, rows) for call, live, rows in found]


def _parsed(spark: Any, statement: str) -> Any:
    return spark._jsparkSession.sessionState().sqlParser().parsePlan(statement)


def _execution(spark: Any, plan: Any) -> Any:
    """Of a plan, where commands do not run, either."""
    skip = spark._jvm.org.apache.spark.sql.execution.CommandExecutionMode.SKIP()
    return spark._jsparkSession.sessionState().executePlan(plan, skip)


def _writes_query(plan: Any) -> bool:
    return any(method.getName() == "query" for method in plan.getClass().getMethods())


def _is_no_query(spark: Any, plan: Any) -> bool:
    """Whether it is a command, or changes rows in place (UPDATE, MERGE)."""
    logical = "org.apache.spark.sql.catalyst.plans.logical"
    named = spark._jvm.java.lang.Class.forName
    return any(named(f"{logical}.{kind}").isInstance(plan) for kind in ("Command", "SupportsSubquery"))


def _scored(spark: Any, calls: list[Noted], query: Any, optimized: Any) -> Iterator[tuple[Noted, Live, Rows]]:
    """Each call by each version, with its rows."""
    asked: dict[str, Noted] = {}
    formulas: dict[str, Noted] = {}
    for call in calls:
        if not call.text:
            yield call, call.held[call.function.alias].live, Rows(0, EXACT)
        elif call.text.startswith(f"{SCORE}("):
            asked.setdefault(parse_one(call.text, dialect="spark").expressions[0].name, call)
        else:
            formulas.setdefault(call.function.name.lower(), call)
    evaluated = list(_evaluated(optimized)) if asked else []
    # What a query does not use is not scored; what stands in another kind of statement is not looked for.
    unfound = Rows(None, UNKNOWN) if _is_no_query(spark, query) else Rows(0, EXACT)
    application = spark.sparkContext.applicationId
    for text, call in asked.items():
        function = udf_of(text, application)._unwrapped._judf.func()
        found = [rows for other, rows in evaluated if function.equals(other)]
        for rows in found or [unfound]:
            yield from _by_version(call, json.loads(text), rows)
    places = list(_formulas(spark, query)) if formulas else []
    for name, call in formulas.items():
        for rows in [rows for other, rows in places if other == name] or [Rows(None, UNKNOWN)]:
            for alias in (call.function.alias, *([call.function.canary.alias] if call.function.canary else [])):
                yield call, call.held[alias].live, rows.at_most() if call.function.canary else rows


def _by_version(call: Noted, asked: dict[str, Any], rows: Rows) -> Iterator[tuple[Noted, Live, Rows]]:
    """The version that scores, or the two that share the rows, and the shadow, which scores all."""
    shared = len(asked["versions"]) > 1
    for text in asked["versions"]:
        yield call, Live.parse(text), rows.at_most() if shared else rows
    if asked["shadow"]:
        yield call, Live.parse(asked["shadow"]), rows


def _evaluated(plan: Any, whole: bool = True) -> Iterator[tuple[Any, Rows]]:
    """The Python functions that an optimised plan calls, and how many rows each gets."""
    kind = kind_of_plan(plan)
    if kind == "ArrowEvalPython":
        rows = rows_of(plan.child())
        for udf in items(plan.udfs()):
            for function in _chained(udf):
                yield function, rows if whole else rows.at_most()
    whole = whole and kind in _TAKE_ALL
    for child in items(plan.children()):
        yield from _evaluated(child, whole)
    for child in items(plan.subqueries()):
        yield from _evaluated(child, False)


def _chained(udf: Any) -> Iterator[Any]:
    yield udf.func()
    for child in items(udf.children()):
        if kind_of(child) == "PythonUDF":
            yield from _chained(child)


def _formulas(spark: Any, plan: Any, top: bool = True) -> Iterator[tuple[str, Rows]]:
    """The SQL functions that an analysed plan calls, and for how many rows at most: what is unused goes later."""
    names = [name for expression in items(plan.expressions()) for name in _called(expression)]
    children = list(items(plan.children()))
    if names:
        rows = rows_of(_execution(spark, children[0]).optimizedPlan()) if len(children) == 1 else Rows(None, UNKNOWN)
        for name in names:
            yield name, rows if top else rows.at_most()
    for child in (*children, *items(plan.subqueries())):
        yield from _formulas(spark, child, False)


def _called(expression: Any) -> Iterator[str]:
    if kind_of(expression) == "SQLScalarFunction":
        yield str(expression.function().name().funcName()).lower()
        return
    for child in items(expression.children()):
        yield from _called(child)


def _priced(spark: Any, call: Noted, live: Live, rows: Rows) -> Priced:
    cost = _proven_cost(spark, call.function.model, live)
    if cost is None:
        cost = _counted_cost(spark, call.function.model, live)
    seconds = None if cost is None or rows.count is None else rows.count * cost / 1e6
    return Priced(
        call.function.name, call.function.model, live.version, live.alias, live.engine, rows.count, rows.bound, cost,
        seconds,
    )  # fmt: skip


def _proven_cost(spark: Any, model: str, live: Live) -> float | None:
    match = exp.and_(exp.column("model").eq(model), exp.column("version").eq(live.version)).sql("spark")
    for row in spark.table(ALIASES).where(match).select("proof").take(1):
        for evidence in json.loads(row["proof"] or "[]"):
            if evidence["engine"] == live.engine:
                found: float | None = evidence["microseconds"]
                return found
    return None


def _counted_cost(spark: Any, model: str, live: Live) -> float | None:
    if not spark.catalog.tableExists(USAGE):  # of an earlier version of Penstock
        return None
    match = exp.and_(
        exp.column("model").eq(model), exp.column("version").eq(live.version), exp.column("engine").eq(live.engine)
    ).sql("spark")
    [row] = spark.table(USAGE).where(match).selectExpr("1e6 * SUM(seconds) / NULLIF(SUM(rows), 0) AS cost").collect()
    return None if row["cost"] is None else round(row["cost"], 3)


def total(calls: list[Priced]) -> tuple[float | None, str]:
    """The CPU seconds of all calls, and their bound; None and `unknown` where one of them is unknown."""
    seconds = [each.seconds for each in calls if each.seconds is not None]
    if len(seconds) < len(calls):
        return None, UNKNOWN
    return sum(seconds), EXACT if all(each.bound == EXACT for each in calls) else AT_MOST
