"""The Spark of this process, with `predict()` and the project's Python functions in it, and what runs in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engines import spark as spark_engine
from penstock.home import home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def start_spark(settings: Mapping[str, str], functions: Iterable[Mapping[str, Any]]) -> SparkSession:
    """The session of this process with `predict()` and the project's Python functions in it.

    Args:
        settings: Spark's settings from the profile.
        functions: Function nodes of dbt's manifest; those in Python are promoted.

    Raises:
        EnvironmentProblem: when Spark cannot start, or another process holds the metastore.
        InvalidDefinitionError: when a Python function's file is wrong.
    """
    from penstock.engines.executors import ship_code
    from penstock.engines.predict import promote_predict
    from penstock.engines.usage import keep_writing

    session = spark_engine.open_session(settings, log=home() / "logs" / "spark.log")
    ship_code(session)
    promote_predict(session)
    promote_functions(session, functions)
    keep_writing()
    return session


def start_spark_to_serve(
    settings: Mapping[str, str], functions: Iterable[Mapping[str, Any]], *, java_sources: Sequence[Path] = ()
) -> SparkSession:
    """As `start_spark`, in a JVM that outlives the sessions of its clients; it takes some seconds longer.

    Args:
        settings: As for `start_spark`.
        functions: As for `start_spark`.
        java_sources: Java files, one class each, that the JVM shall find by name.

    Raises:
        EnvironmentProblem: when Spark cannot start, or another process holds the metastore.
        InvalidDefinitionError: when a Python function's file is wrong.
    """
    from penstock.engines.class_path import with_class_path

    place = home()
    prepared = with_class_path(
        settings, java_sources, classes=place / "servers" / "classes", log=place / "logs" / "spark.log"
    )
    return start_spark(prepared, functions)


def promote_functions(spark: SparkSession, functions: Iterable[Mapping[str, Any]]) -> None:
    """Let every session opened from now on call the Python functions among these nodes of dbt's manifest.

    Raises:
        InvalidDefinitionError: when a Python function's file is wrong.
    """
    from penstock.engines import python_functions

    for node in functions:
        if node.get("language") == "python":
            python_functions.promote_changed(spark, node)


def run_python_model(
    spark: SparkSession, code: str, *, name: str, file: str, settings: Mapping[str, str], node: str = ""
) -> None:
    """Run the compiled code of a dbt Python model in a session of its own, made with these settings, as of that node.

    Raises:
        PenstockError: as for `run_model`.
    """
    from penstock.engines.python_models import own_session, run_model
    from penstock.scoring.usage import NODE, marked

    session = own_session(spark, settings)
    with marked(session, NODE, node):
        run_model(session, code, name=name, file=file)
