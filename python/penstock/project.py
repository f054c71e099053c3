"""A dbt project with Penstock in it: the one way from a request to rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engines import spark as spark_engine
from penstock.errors import EnvironmentProblem, UnknownNameError
from penstock.home import home
from penstock.manifest.graph import manifest_from_graph

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from penstock.manifest.model import SemanticManifest
    from penstock.semantic import CompiledQuery, MetricRequest
    from penstock.semantic.as_of import AsOf
    from penstock.semantic.request import Dialect


def start_spark(settings: Mapping[str, str], functions: Iterable[Mapping[str, Any]]) -> SparkSession:
    """The session of this process with the model dispatchers and the project's Python functions in it.

    Args:
        settings: Spark's settings from the profile.
        functions: Function nodes of dbt's manifest; those in Python are promoted.

    Raises:
        EnvironmentProblem: when Spark cannot start.
        InvalidDefinitionError: when a Python function's file is wrong.
    """
    session = spark_engine.open_session(settings, log=home() / "logs" / "spark.log")
    for function in _functions_to_promote(functions):
        spark_engine.promote_once(session, function)
    return session


def _functions_to_promote(nodes: Iterable[Mapping[str, Any]]) -> list[spark_engine.PythonFunction]:
    from penstock.engines import python_functions
    from penstock.scoring.dispatchers import dispatchers

    scorers = [spark_engine.PythonFunction(name, udf) for name, udf in dispatchers().items()]
    return [*scorers, *(python_functions.from_dbt(node) for node in nodes if node.get("language") == "python")]


class Project:
    """The dbt project in a folder, with the artifacts of its last parse.

    Args:
        folder: The folder of `dbt_project.yml`.
        target: The profile's target; its default when None.
    """

    def __init__(self, folder: Path | str = ".", target: str | None = None) -> None:
        self.folder = Path(folder).absolute()
        self.target = target

    @cached_property
    def dbt_manifest(self) -> Mapping[str, Any]:
        """dbt's `target/manifest.json`, where DBT_TARGET_PATH puts it.

        Raises:
            EnvironmentProblem: when there is none.
        """
        path = self.folder / os.environ.get("DBT_TARGET_PATH", "target") / "manifest.json"
        if not path.exists():
            raise EnvironmentProblem("the project has not been parsed", where=str(path), fix="dbt parse")
        loaded: Mapping[str, Any] = json.loads(path.read_text())
        return loaded

    @cached_property
    def definitions(self) -> SemanticManifest:
        """The project's metrics and semantic models."""
        return manifest_from_graph(self.dbt_manifest)

    @cached_property
    def spark(self) -> SparkSession:
        """A Spark session as the profile describes it, in the target's schema."""
        from penstock.profile import load_target

        target = load_target(self.folder, self.target)
        session = start_spark(target.settings, self.dbt_manifest.get("functions", {}).values())
        if session.catalog.databaseExists(target.schema):
            session.catalog.setCurrentDatabase(target.schema)
        return session

    def compile(
        self, request: MetricRequest, dialect: Dialect = "spark", *, as_of: AsOf | None = None
    ) -> CompiledQuery:
        """Compile a metric request to SQL; no engine is started.

        Args:
            request: Metrics, what to group them by, filters, order and limit.
            dialect: The engine that the SQL is for.
            as_of: The earlier state of its tables to read, the present one when None.

        Raises:
            PenstockError: when the request has no answer.
        """
        from penstock.semantic import compile_request
        from penstock.semantic.as_of import read_as_of

        compiled = compile_request(self.definitions, request, dialect)
        return compiled if as_of is None else replace(compiled, sql=read_as_of(compiled.sql, as_of, dialect))

    def query(self, request: MetricRequest, *, as_of: AsOf | None = None) -> pa.Table:
        """Answer a metric request; arguments and errors as for `compile`."""
        return self.run(self.compile(request, as_of=as_of).sql)

    def sql(self, statement: str) -> pa.Table:
        """Run one statement of Spark SQL in which `predict('model', …)` may stand.

        Raises:
            PenstockError: when the statement does not parse, or asks for a model that is not live.
        """
        from penstock.scoring.predict import mentions_predict, parse_statement, rewrite_predict

        # Statements without predict() go to Spark as they are: not every one of them is known to the parser.
        if mentions_predict(statement):
            statement = rewrite_predict(parse_statement(statement), self.model_inputs).sql("spark")
        return self.run(statement)

    def model_inputs(self, model: str) -> tuple[str, ...]:
        """The inputs of a live model, in order.

        Raises:
            UnknownNameError: when no version of it is live.
        """
        from penstock.registry.promote import live_inputs, live_models

        inputs = live_inputs(self.spark, model)
        if inputs is None:
            raise UnknownNameError.of(
                "model", model, live_models(self.spark), fix="dbt build trains a project's models"
            )
        return inputs

    def run(self, sql: str) -> pa.Table:
        """Run SQL on Spark as it stands."""
        return spark_engine.run(self.spark, sql)
