"""A dbt project with Penstock in it: the one way from a request to rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engines import spark as spark_engine
from penstock.errors import EnvironmentProblem, UnknownNameError
from penstock.freshness import changed_since_parse
from penstock.manifest.exports import unbuilt_exports
from penstock.manifest.graph import manifest_from_graph, requests_in
from penstock.manifest.meta import declared_in
from penstock.profile import no_project
from penstock.sessions import start_spark
from penstock.steps import Doing, silently

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from penstock.engines.maintain import Upkeep
    from penstock.engines.price import Priced
    from penstock.manifest.model import SemanticManifest
    from penstock.profile import Target
    from penstock.project_alerts import Alerts
    from penstock.project_gates import Gates
    from penstock.project_loop import Loops
    from penstock.project_training import TrainingSets
    from penstock.project_watch import Watch
    from penstock.readers import TrainingSetReader
    from penstock.registry.sync import Synced
    from penstock.semantic import CompiledQuery, MetricRequest
    from penstock.semantic.as_of import AsOf
    from penstock.semantic.explain import Explanation
    from penstock.semantic.request import Dialect
    from penstock.semantic.validate import Problem
    from penstock.training_sets.leakage.static_check import Finding


@dataclass(frozen=True)
class MetricInViews:
    """A metric beside Spark's metric views.

    Args:
        name: The metric.
        views: The dbt models of metric views that have it.
        reason: Why the metric view of all its semantic model's metrics can't have it; None where it can, or one does.
    """

    name: str
    views: tuple[str, ...]
    reason: str | None


class Project:
    """The dbt project in a folder, with the artifacts of its last parse.

    Args:
        folder: The folder of `dbt_project.yml`.
        target: The profile's target; its default when None.
        doing: Shows long steps.
    """

    def __init__(self, folder: Path | str = ".", target: str | None = None, *, doing: Doing = silently) -> None:
        self.folder = Path(folder).absolute()
        self.target = target
        self._doing = doing

    @cached_property
    def dbt_manifest(self) -> Mapping[str, Any]:
        """dbt's `target/manifest.json`, where DBT_TARGET_PATH puts it.

        Raises:
            EnvironmentProblem: when there is none, or it cannot be read, or the project has changed since.
        """
        path = self._manifest_path()
        if not (self.folder / "dbt_project.yml").exists():
            raise no_project(self.folder)
        if self._last_parse is None:
            raise EnvironmentProblem("the project has not been parsed", where=str(path), fix="dbt parse")
        changed = changed_since_parse(self._last_parse, self.folder)
        if changed is not None:
            name = os.path.relpath(path, self.folder)
            raise EnvironmentProblem(f"{name} is older than the project", where=changed, fix="dbt parse")
        return self._last_parse

    @cached_property
    def _last_parse(self) -> Mapping[str, Any] | None:
        path = self._manifest_path()
        try:
            return json.loads(path.read_text()) if path.exists() else None
        except ValueError as error:  # dbt was ended while it wrote
            raise EnvironmentProblem(f"it is no JSON: {error}", where=str(path), fix="dbt parse") from error

    def _manifest_path(self) -> Path:
        return self.target_folder / "manifest.json"

    @property
    def target_folder(self) -> Path:
        """Where dbt puts its artifacts."""
        return self.folder / os.environ.get("DBT_TARGET_PATH", "target")

    @cached_property
    def definitions(self) -> SemanticManifest:
        """The project's metrics and semantic models."""
        return manifest_from_graph(self.dbt_manifest)

    def functions(self) -> list[Mapping[str, Any]]:
        """The function nodes of dbt's manifest.

        Raises:
            EnvironmentProblem: as for `dbt_manifest`.
        """
        return list(self.dbt_manifest.get("functions", {}).values())

    def sync_functions(self) -> list[Synced]:
        """Make the SQL functions of models that the project's nodes declare. Spark is started.

        Raises:
            PenstockError: when a declaration is wrong, or a version does not give what its function returns.
        """
        from penstock.registry.sync import sync

        found = []
        for unique_id, node in self.dbt_manifest["nodes"].items():
            declared, where = declared_in(node["config"].get("meta"), "functions"), node["original_file_path"]
            if declared is not None:
                found += sync(self.spark, declared, model=node["name"], declared_by=unique_id, where=where)
        return found

    def functions_as_parsed(self) -> list[Mapping[str, Any]]:
        """The function nodes of the last parse, however old it is; none where there was none."""
        return list((self._last_parse or {}).get("functions", {}).values())

    @cached_property
    def _profile(self) -> Target:
        from penstock.profile import load_target

        return load_target(self.folder, self.target)

    def spark_settings(self) -> Mapping[str, str]:
        """The profile's settings of a Spark in this process.

        Raises:
            EnvironmentProblem: when the profile is broken, or its target connects to a Spark elsewhere.
        """
        target = self._profile
        if target.method != "session":
            raise EnvironmentProblem(
                f"target '{target.name}' connects to a server (method {target.method}), it starts no Spark",
                where="profiles.yml",
                fix="choose a target of method session: --target embedded",
            )
        return target.settings

    @cached_property
    def spark(self) -> SparkSession:
        """A Spark session as the profile describes it, in the target's schema."""
        settings, functions = self.spark_settings(), self.functions()
        with self._doing("starting Spark"):
            session = start_spark(settings, functions)
        if session.catalog.databaseExists(self._profile.schema):
            session.catalog.setCurrentDatabase(self._profile.schema)
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

    @cached_property
    def training_sets(self) -> TrainingSets:
        """The project's training sets: compile, explain, and make again what was made."""
        from penstock.project_training import TrainingSets

        return TrainingSets(self, self._doing)

    @cached_property
    def gates(self) -> Gates:
        """The gates of the project's models: decide, promote, go back."""
        from penstock.project_gates import Gates

        return Gates(self, self._doing)

    @cached_property
    def loops(self) -> Loops:
        """The loops of the project's models: train, decide, promote."""
        from penstock.project_loop import Loops

        return Loops(self, self._doing)

    def report(self, model: str) -> str:
        """The page of HTML that tells how a model does; Spark is started.

        Args:
            model: The registered name.

        Raises:
            PenstockError: as for `project_report.collected`.
        """
        from penstock.monitoring.report.page import render
        from penstock.project_report import collected

        return render(collected(self, model, doing=self._doing))

    @cached_property
    def alerts(self) -> Alerts:
        """The alerts of the project's tests: keep, send, list."""
        from penstock.project_alerts import Alerts

        return Alerts(self, self._doing)

    @cached_property
    def watch(self) -> Watch:
        """How the project's models and tables are now."""
        from penstock.project_watch import Watch

        return Watch(self, self._doing)

    def metric_views(self) -> dict[str, list[MetricInViews]]:
        """For each semantic model with metrics, which of them metric views have, and which none can have."""
        from penstock.semantic import metric_view, reasons_against

        views: dict[tuple[str, str], list[str]] = {}
        for node in self.dbt_manifest["nodes"].values():
            for asked in requests_in(node["config"].get("meta")):
                if asked["kind"] == "metric_view":
                    parts = {part: tuple(asked[part]) for part in ("metrics", "dimensions")}
                    model = asked["semantic_model"].lower()
                    for metric in metric_view(self.definitions, model, **parts).metrics:
                        views.setdefault((model, metric), []).append(node["name"])
        found = {}
        for model in self.definitions.models:
            reasons = reasons_against(self.definitions, model)
            if reasons:
                found[model] = [
                    MetricInViews(metric, tuple(where), None if where else reason)
                    for metric, reason in reasons.items()
                    for where in [views.get((model, metric), [])]
                ]
        return found

    def explain(self, request: MetricRequest, dialect: Dialect = "spark", *, as_of: AsOf | None = None) -> Explanation:
        """How a metric request is answered; no engine is started. Arguments and errors as for `compile`."""
        from penstock.semantic.explain import explain

        told = explain(self.definitions, request, dialect)
        return told if as_of is None else replace(told, query=self.compile(request, dialect, as_of=as_of))

    def versions(self, relations: Iterable[str]) -> dict[str, int | None]:
        """The present Delta version of relations, None of one that is no Delta table."""
        return {name: spark_engine.delta_version(self.spark, name) for name in relations}

    def maintain(self, *, dry_run: bool = False) -> list[Upkeep]:
        """Carry out the upkeep that the project declares for its tables. Spark is started.

        Versions that a training set was made from stay, those of registered models' training sets too, and so does what
        shallow clones read.

        Args:
            dry_run: Only tell what would be done.

        Raises:
            InvalidDefinitionError: when a declared policy is not one.
            UnknownNameError: when a policy has a key that is not known.
        """
        from penstock.engines import maintain
        from penstock.maintenance import policies
        from penstock.registry.pins import registered_pins

        declared = list(policies(self.dbt_manifest))
        with self._doing("looking for recorded versions and clones"):
            recorded, clones = maintain.recorded_pins(self.spark)
        pins = {table: dict(versions) for table, versions in registered_pins().items()}
        for table, versions in recorded.items():
            pins.setdefault(table, {}).update(versions)
        done = []
        for policy in declared:
            with self._doing(f"maintaining {policy.table}", partial(spark_engine.how_far, self.spark)):
                done.append(maintain.maintain(self.spark, policy, pins, clones, dry_run=dry_run))
        return [each for each in done if each is not None]

    def problems(self, *, keys: bool = False) -> list[Problem]:
        """What of the definitions would fail when it is asked for.

        Args:
            keys: Whether Spark is started to look for keys that are not unique.
        """
        from penstock.semantic.key_checks import key_checks
        from penstock.semantic.validate import Problem, validate
        from penstock.training_sets.kinds import types_of_contracts

        found = list(validate(self.definitions, types_of_contracts(self.dbt_manifest)))
        for saved, table in unbuilt_exports(self.definitions, self.dbt_manifest):
            fix = f"add a model {table}.sql with the line {{{{ penstock.saved_query('{saved}') }}}}"
            found.append(Problem(f"saved query {saved}, export {table}", "no model builds it", (), fix))
        if keys:
            for row in self.sql(key_checks(self.definitions, "spark")).to_pylist():
                found.append(Problem(row["place"], f"{row['problem']} ({row['keys']} times)"))
        return found

    def findings(self, model: str, spine: Sequence[str] = ()) -> tuple[Finding, ...]:
        """What in the SQL of a model lets the future into a training set, or gives other rows each time.

        Args:
            model: The name of a dbt model; its SQL is that of the last `dbt compile`.
            spine: What its rows come from, where it is not one `penstock.training_set(…)`; see `check_sql`.

        Raises:
            UnknownNameError: There is no such model.
            EnvironmentProblem: It has not been compiled.
            InvalidRequestError: It is not one query.
        """
        from penstock.training_sets.leakage.static_check import check_sql

        models = {n["name"]: n for n in self.dbt_manifest["nodes"].values() if n["resource_type"] == "model"}
        if model not in models:
            raise UnknownNameError.of("model", model, models)
        sql = models[model].get("compiled_code")
        if not sql or models[model].get("language") == "python":
            raise EnvironmentProblem(
                "it has no SQL" if sql else "it has not been compiled",
                where=f"model {model}",
                fix="check an SQL model" if sql else f"dbt compile --select {model}",
            )
        made = any(r["kind"] == "training_set" for r in requests_in(models[model]["config"].get("meta")))
        return check_sql(sql, self.definitions, spine=spine or (("_spine",) if made else ()))

    def query(self, request: MetricRequest, *, as_of: AsOf | None = None) -> pa.Table:
        """Answer a metric request as an Arrow table (`.to_pandas()` makes a pandas frame of it).

        Arguments and errors are those of `compile`.
        """
        return self.sql(self.compile(request, as_of=as_of).sql)

    def dataframe(self, request: MetricRequest, *, as_of: AsOf | None = None) -> DataFrame:
        """The answer to a metric request as a Spark DataFrame, which nothing has been read for yet.

        Arguments and errors are those of `compile`.
        """
        return self.spark.sql(self.compile(request, as_of=as_of).sql)

    def sql(self, statement: str) -> pa.Table:
        """Run one statement of Spark SQL, in which `predict('model', …)` may stand.

        Raises:
            InvalidRequestError: when Spark refuses the statement before it runs.
        """
        spark = self.spark
        with self._doing("running", partial(spark_engine.how_far, spark)):
            return spark_engine.run(spark, statement)

    def price(self, statement: str) -> list[Priced]:
        """What each call of a model in a statement of Spark SQL will take; the statement does not run.

        Raises:
            PenstockError: when Spark refuses the statement.
        """
        from penstock.engines.price import price

        spark = self.spark
        with self._doing("analysing", partial(spark_engine.how_far, spark)):
            return price(spark, statement)

    def read_training_set(self, relation: str, version: int | None = None) -> TrainingSetReader:
        """Open a training set, or any Delta table that the project built, to read it without Spark.

        Args:
            relation: `table`, of the target's schema, or `schema.table`.
            version: Its Delta version; the newest when None.

        Raises:
            EnvironmentProblem: when the target connects to a server, or as for `open_training_set`.
            UnknownNameError: when there is no such table.
            InvalidRequestError: as for `open_training_set`.
        """
        from penstock.profile import table_folder
        from penstock.readers import open_training_set

        return open_training_set(table_folder(self._profile, relation), version)
