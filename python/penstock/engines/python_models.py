"""dbt Python models: the compiled code of one, run with a session."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run_model(spark: SparkSession, code: str, *, name: str, file: str) -> None:
    """Run what dbt compiled from a Python model.

    Args:
        spark: The session that the code finds as `spark`.
        code: The compiled code; it writes the model's table itself.
        name: The relation that it makes.
        file: The model's file, for tracebacks.

    Raises:
        Exception: whatever the code raises.
    """
    shown = f"<dbt model {file}>"
    # With its text in linecache the code has readable tracebacks, and `inspect.getsource` works on it.
    linecache.cache[shown] = (len(code), None, code.splitlines(keepends=True), shown)
    namespace: dict[str, Any] = {"__name__": f"dbt_model_{name}", "spark": spark}
    exec(compile(code, shown, "exec"), namespace)


def own_session(spark: SparkSession, settings: Mapping[str, str]) -> SparkSession:
    """A new session of the same Spark, with those of the settings that a session may change."""
    session = spark.newSession()
    for name, value in settings.items():
        if session.conf.isModifiable(name):
            session.conf.set(name, value)
    return session
