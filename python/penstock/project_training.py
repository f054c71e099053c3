"""The training sets of a project: compile, explain, and make again what was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.engines import reproduce
from penstock.engines import spark as spark_engine
from penstock.errors import InvalidDefinitionError, InvalidRequestError, PenstockError, UnknownNameError
from penstock.manifest.graph import requests_in
from penstock.training_sets.record import Record, definitions_used

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from penstock.manifest.model import SemanticManifest
    from penstock.monitoring.record.labels import Labels
    from penstock.project import Project
    from penstock.project_backfill import Backfilled
    from penstock.project_from_log import Compared
    from penstock.semantic.durations import Duration
    from penstock.semantic.request import Dialect
    from penstock.steps import Doing
    from penstock.training_sets import CompiledTrainingSet, TrainingSetRequest
    from penstock.training_sets.explain import Explanation


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotReproduced(PenstockError):
    """A training set that its record does not make again."""


@dataclass(frozen=True)
class TrainingSet:
    """A training set of the project.

    Args:
        name: The dbt model.
        table: Its table.
        version: The Delta version that its last build wrote; None where it is not built.
        rows: Its rows then; None where they are not known.
        built_at: When that was.
        record: What it was made from; None where the table does not say so.
        written_since: What has changed its rows since, None where nothing has.
    """

    name: str
    table: str
    version: int | None = None
    rows: int | None = None
    built_at: datetime | None = None
    record: Record | None = None
    written_since: str | None = None


@dataclass(frozen=True)
class Rebuilt:
    """A training set that was made again from its record.

    Args:
        name: The dbt model.
        table: Its table.
        version: The Delta version that its record made.
        changed: The definitions that have changed since, so that a new build would be another set.
        rows: The rows of the table; this and what follows only where the two were compared.
        checksum: The checksum of the table.
        rebuilt: The checksum of what the record makes; another one only where `last_digits` is not empty.
        last_digits: By column, how many doubles differ by no more than another order of adding explains.
    """

    name: str
    table: str
    version: int
    changed: tuple[str, ...]
    rows: int | None = None
    checksum: str | None = None
    rebuilt: str | None = None
    last_digits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class InputAge:
    """How fresh an input is.

    Args:
        semantic_model: The input.
        promised: How old its newest known row may be; None where nothing is declared.
        age: How old it is; None where no row is known.
    """

    semantic_model: str
    promised: Duration | None
    age: timedelta | None

    @property
    def is_kept(self) -> bool:
        """Whether it is as fresh as it promises."""
        if self.promised is None:
            return True
        return self.age is not None and self.age <= timedelta(microseconds=self.promised.microseconds)


class TrainingSets:
    """The training sets of a project, by the names of their dbt models."""

    def __init__(self, project: Project, doing: Doing) -> None:
        self._project = project
        self._doing = doing

    def names(self) -> tuple[str, ...]:
        """The dbt models that are training sets."""
        return tuple(sorted(self._nodes()))

    def asked(
        self, request: TrainingSetRequest | Mapping[str, Any] | str, dialect: Dialect = "spark"
    ) -> tuple[SemanticManifest, TrainingSetRequest]:
        """The definitions and the request of a training set.

        Args:
            request: A request, a dbt model that asks for one by its name, or the arguments of the macro as a mapping,
                of which `predict` is a predictive query.
            dialect: The engine that the SQL is for.

        Raises:
            UnknownNameError: when no model of that name asks for a training set.
            InvalidDefinitionError: when it asks for several, or its spine is known only when dbt compiles it.
            PenstockError: when a mapping is no request.
        """
        from penstock.training_sets import TrainingSetRequest, asked_of, types_of_contracts

        types = types_of_contracts(self._project.dbt_manifest)
        if isinstance(request, TrainingSetRequest):
            return self._project.definitions, request if request.types else replace(request, types=types)
        mapping = self._of_model(request) if isinstance(request, str) else request
        return asked_of(self._project.definitions, mapping, types, dialect)

    def _of_model(self, name: str) -> Mapping[str, Any]:
        found = list(self._requests(self._node(name)))
        if len(found) != 1 or (found[0]["spine"] is None and not found[0].get("predict")):
            raise InvalidDefinitionError(
                "which relation is its spine is known only when dbt compiles it",
                where=f"model {name}",
                fix="keep one training set in it with one ref, or name the spine in YAML: meta.penstock.training_set",
            )
        return found[0]

    def compile(
        self, request: TrainingSetRequest | Mapping[str, Any] | str, dialect: Dialect = "spark"
    ) -> CompiledTrainingSet:
        """Compile a training set to SQL; no engine is started. Arguments as for `asked`.

        Raises:
            PenstockError: when the request has no answer.
        """
        from penstock.training_sets import compile_training_set

        return compile_training_set(*self.asked(request, dialect), dialect)

    def dataframe(self, request: TrainingSetRequest | Mapping[str, Any] | str) -> DataFrame:
        """A training set as a Spark DataFrame, which nothing has been read for yet. As for `compile`."""
        return self._project.spark.sql(self.compile(request).sql)

    def explain(self, request: TrainingSetRequest | Mapping[str, Any] | str, dialect: Dialect = "spark") -> Explanation:
        """How a training set is answered; no engine is started. As for `compile`."""
        from penstock.training_sets.explain import explain

        return explain(*self.asked(request, dialect), dialect)

    def ages(self, request: TrainingSetRequest | Mapping[str, Any] | str) -> tuple[InputAge, ...]:
        """How fresh the inputs of a training set are; timeless ones have no age. Spark is started. As for `compile`."""
        from penstock.training_sets import freshness

        found = freshness(*self.asked(request), "spark")
        rows = self._project.sql(found.measured).to_pylist() if found.measured else []
        newest = {row["semantic_model"]: row["newest_known"] for row in rows}
        now = datetime.now(UTC) - _EPOCH
        return tuple(
            InputAge(name, promised, None if newest[name] is None else now - timedelta(microseconds=newest[name]))
            for name, promised in found.promised.items()
        )

    def maturity(self, request: TrainingSetRequest | Mapping[str, Any] | str) -> Mapping[str, int] | None:
        """How many rows of the spine have final labels; None without labels. Spark is started. As for `compile`."""
        query = self.compile(request).maturity
        return None if query is None else self._project.sql(query).to_pylist()[0]

    def backfill(self, name: str, first: datetime, after: datetime, step: Duration) -> Backfilled:
        """Write the rows of a dbt model's training set whose times lie from `first` to before `after`, in slices.

        Each slice is one commit; the same call after a broken one writes what is missing, from the same versions of the
        inputs. Errors are those of `compile`, and that the set can't be sliced.
        """
        from penstock.project_backfill import backfill

        table, asked = self._node(name)["relation_name"], self.asked(name)
        return backfill(self._project.spark, table, asked, self._of_model(name), (first, after), step, self._doing)

    def built(self, name: str) -> TrainingSet:
        """The training set of a dbt model as its last build left it. Spark is started.

        Raises:
            UnknownNameError: when no model of that name asks for a training set.
        """
        table = self._node(name)["relation_name"]
        found = reproduce.built_set(self._project.spark, table)
        if found is None:
            return TrainingSet(name, table)
        return TrainingSet(name, table, found.version, found.rows, found.built_at, found.record, found.written_since)

    def all_built(self) -> list[TrainingSet]:
        """All training sets of the project. Spark is started."""
        return [self.built(name) for name in self.names()]

    def log(self, name: str, version: int | None = None) -> None:
        """Tell MLflow's active run that it is trained on the training set of a dbt model; Spark is not started.

        The run gets the set's table and version as a dataset, and as tags the versions of its inputs.
        `penstock maintain` spares all of these while a version of a model is registered from the run.

        Args:
            name: The dbt model.
            version: The Delta version of its table; the newest when None.

        Raises:
            UnknownNameError: when no model of that name asks for a training set, or its table is not there.
            InvalidRequestError: when no run is active, or there is no such version.
            EnvironmentProblem: as for `open_training_set`.
        """
        import mlflow

        from penstock.registry.pins import log_training_set

        node = self._node(name)
        if mlflow.active_run() is None:
            raise InvalidRequestError(
                "no run of MLflow is active", where=f"training set {name}", fix="call it within mlflow.start_run()"
            )
        table = f"{node['schema']}.{node['alias']}".lower()
        read = self._project.read_training_set(table, version)
        log_training_set(table, read.version, read.digest, read.record())

    def rebuild(self, name: str, *, verify: bool = True, into: str | None = None) -> Rebuilt:
        """Make a training set again from the record of its table.

        Args:
            name: The dbt model.
            verify: Compare what is made with the table.
            into: A new table for what the record makes; nothing is written when None.

        Raises:
            UnknownNameError: when no model of that name asks for a training set.
            InvalidRequestError: when its table has no record, or an input has no versions.
            EnvironmentProblem: when a version of an input is gone.
            NotReproduced: when the record makes something else than the table holds.
        """
        spark, built = self._project.spark, self.built(name)
        if built.version is None:
            raise InvalidRequestError("it is not built", where=f"model {name}", fix=f"dbt build --select {name}")
        if built.record is None:
            raise InvalidRequestError(
                f"{built.table} does not say what it was made from",
                where=f"model {name}",
                fix="build it as one training set, with materialized='table' and file_format='delta'",
            )
        record = built.record
        if built.written_since is not None:
            raise InvalidRequestError(
                f"{built.table} has been written to since it was built ({built.written_since})",
                where=f"model {name}",
                fix=f"dbt build --full-refresh --select {name}",
            )
        fix = f"dbt build --select {name} makes a new set; penstock maintain takes no version that a set has read"
        with reproduce.inputs_of(spark, record, fix):
            self._check_spine(record)
            return self._made(built, record, verify, into)

    def compare_log(
        self,
        name: str,
        feature_set: str,
        *,
        without: Sequence[str] = (),
        label: str | None = None,
        labels: Labels | None = None,
    ) -> Compared:
        """Compare a dbt model's training set with the same set as the log has it: see `project_from_log.compare`.

        Args:
            name: The dbt model, whose rows have `prediction_id` and `at`.
            feature_set: The feature set that was logged.
            without: Features of it that are not compared.
            label: The column of the set that is its label.
            labels: What that is in the log.
        """
        from penstock.project_from_log import compare

        built, asked = self.built(name), self.asked(name)
        return compare(
            self._project.spark, built, asked, feature_set,
            without=without, label=label, labels=labels, doing=self._doing,
        )  # fmt: skip

    def _check_spine(self, record: Record) -> None:
        with self._step("comparing the spine"):
            rows, checksum = reproduce.checksum_of(self._project.spark.sql(record.spine.sql))
        if (rows, checksum) != (record.spine.rows, record.spine.checksum):
            raise NotReproduced(
                f"the spine is not what it was: {rows} rows with checksum {checksum}, "
                f"not {record.spine.rows} rows with {record.spine.checksum}",
                where=record.spine.sql,
            )

    def _made(self, built: TrainingSet, record: Record, verify: bool, into: str | None) -> Rebuilt:
        spark = self._project.spark
        made = spark.sql(record.sql)
        if into is not None:
            with self._step(f"writing {into}"):
                made = _written(made, into, record.properties())
        found = Rebuilt(built.name, built.table, built.version or 0, self._changed(record))
        return self._compared(found, made) if verify else found

    def _compared(self, found: Rebuilt, made: DataFrame) -> Rebuilt:
        table = self._project.spark.sql(f"SELECT * FROM {found.table} VERSION AS OF {found.version}")
        if set(made.columns) == set(table.columns):  # a contract may have put them into another order
            made = made.select(*table.columns)
        with self._step("making it again"):
            rows, checksum = reproduce.checksum_of(table)
            other = reproduce.checksum_of(made)
        found = replace(found, rows=rows, checksum=checksum, rebuilt=other[1])
        if other == (rows, checksum):
            return found
        with self._step("comparing row by row"):
            apart = reproduce.difference(table, made)
        if not apart.is_none:
            raise NotReproduced(
                f"its record makes other rows: {_in_words(apart)}",
                where=f"{found.table} version {found.version}: {rows} rows, checksum {checksum}; "
                f"the record: {other[0]} rows, checksum {other[1]}",
                fix="something has written to a version, or the SQL reads what is no table: a clock, random numbers",
            )
        return replace(found, last_digits=apart.last_digits)

    def _changed(self, record: Record) -> tuple[str, ...]:
        """The definitions that are not what they were."""
        try:
            now = definitions_used(*self.asked(record.request))
        except PenstockError:  # one of them is gone
            now = {}
        return tuple(sorted(n for n in {*now, *record.definitions} if now.get(n) != record.definitions.get(n)))

    def _step(self, step: str) -> AbstractContextManager[None]:
        return self._doing(step, partial(spark_engine.how_far, self._project.spark))

    def _node(self, name: str) -> Mapping[str, Any]:
        nodes = self._nodes()
        if name not in nodes:
            raise UnknownNameError.of("training set", name, nodes, fix="penstock training list")
        return nodes[name]

    def _nodes(self) -> dict[str, Mapping[str, Any]]:
        nodes: Iterable[Mapping[str, Any]] = self._project.dbt_manifest["nodes"].values()
        return {n["name"]: n for n in nodes if any(True for _ in self._requests(n))}

    def _requests(self, node: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        return (r for r in requests_in(node["config"].get("meta")) if r["kind"] == "training_set")


def _in_words(found: reproduce.Difference) -> str:
    parts = [f"{found.rows} rows are on one side only"] if found.rows else []
    parts += [f"{count} values of {column} differ" for column, count in found.values.items()]
    return ", ".join(parts)


def _written(made: DataFrame, table: str, properties: Mapping[str, str]) -> DataFrame:
    writer = made.writeTo(table).using("delta")
    for name, value in properties.items():
        writer = writer.tableProperty(name, value)
    writer.create()
    return made.sparkSession.table(table)
