"""dbt Python models: the compiled code of one, run with a session."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.engines.told import told
from penstock.errors import PenstockError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class ModelFailed(PenstockError):
    """The code of a Python model raised an error."""


def run_model(spark: SparkSession, code: str, *, name: str, file: str) -> None:
    """Run what dbt compiled from a Python model.

    Args:
        spark: The session that the code finds as `spark`.
        code: The compiled code; it writes the model's table itself.
        name: The relation that it makes.
        file: The model's file, for tracebacks.

    Raises:
        PenstockError: what Penstock raised in it, or `ModelFailed` for any other error of the code.
    """
    shown = f"<dbt model {file}>"
    # With its text in linecache the code has readable tracebacks, and `inspect.getsource` works on it.
    linecache.cache[shown] = (len(code), None, code.splitlines(keepends=True), shown)
    namespace: dict[str, Any] = {"__name__": f"dbt_model_{name}", "spark": spark}
    try:
        exec(compile(code, shown, "exec"), namespace)
    except PenstockError:
        raise
    except Exception as error:
        raise _failed(error, told(error, spark), shown, file) from error


def _failed(error: Exception, said: PenstockError | None, shown: str, file: str) -> ModelFailed:
    """With the line of the model's own file that was reached last, and what Spark said if it was Spark that refused."""
    code = "".join(linecache.getlines(shown))
    above = code[: len(code) - len(code.lstrip())].count("\n")  # blank lines that dbt's template has left
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == shown]
    if isinstance(error, SyntaxError) and error.filename == shown:
        lines.append(error.lineno or 0)
    place = f"{file}, line {lines[-1] - above}" if lines else file
    if said is None:
        return ModelFailed(f"the Python model failed: {type(error).__name__}: {error}", where=place)
    return ModelFailed(
        f"the Python model failed: {said.what}", where=f"{place}; {said.where}", near=said.near, fix=said.fix
    )


def own_session(spark: SparkSession, settings: Mapping[str, str]) -> SparkSession:
    """A new session of the same Spark, with those of the settings that a session may change."""
    session = spark.newSession()
    for name, value in settings.items():
        if session.conf.isModifiable(name):
            session.conf.set(name, value)
    return session
