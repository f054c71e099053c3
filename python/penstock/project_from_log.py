"""A training set of a project beside the same set as the log has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.engines import spark as spark_engine
from penstock.errors import InvalidRequestError, UnknownNameError
from penstock.monitoring.record.from_log import DIFFERS, cells_sql, report_sql
from penstock.monitoring.record.skew import Seen, features_seen
from penstock.monitoring.record.tables import FEATURE_SETS, seen_table
from penstock.scoring.functions import quoted
from penstock.training_sets import compile_training_set

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from penstock.monitoring.record.labels import Labels
    from penstock.project_training import TrainingSet
    from penstock.steps import Doing
    from penstock.training_sets import TrainingSetRequest


@dataclass(frozen=True)
class Compared:
    """A training set beside the log.

    Args:
        name: The dbt model.
        table: Its table.
        version: The Delta version that was compared.
        feature_set: The feature set that was logged.
        columns: Of each column how many cells are equal, and how many are not and why, as `report_sql` gives them.
    """

    name: str
    table: str
    version: int
    feature_set: str
    columns: tuple[Mapping[str, Any], ...]

    @property
    def is_explained(self) -> bool:
        """Whether all that differs is explained."""
        return all(each[DIFFERS] == 0 for each in self.columns)


def compare(
    spark: SparkSession,
    built: TrainingSet,
    asked: tuple[Any, TrainingSetRequest],
    feature_set: str,
    *,
    without: Sequence[str],
    label: str | None,
    labels: Labels | None,
    doing: Doing,
) -> Compared:
    """Compare a training set with the log; where they differ, with the set as of what the log's rows knew, too.

    Args:
        spark: A session.
        built: The training set as it was built.
        asked: Its definitions and its request.
        feature_set: What was logged of it.
        without: Features that are not compared.
        label: The column of the set that is its label.
        labels: What that is in the log.
        doing: Shows long steps.

    Raises:
        UnknownNameError: When there is no such feature set, feature or column.
        InvalidRequestError: When the set is not built, or there is nothing to compare.
    """
    if built.version is None:
        raise InvalidRequestError(
            "it is not built", where=f"model {built.name}", fix=f"dbt build --select {built.name}"
        )
    features = _features(spark, feature_set)
    relation = f"(SELECT * FROM {built.table} VERSION AS OF {built.version})"
    columns = spark.sql(f"SELECT * FROM {built.table} VERSION AS OF {built.version}").columns

    def step(name: str) -> AbstractContextManager[None]:
        return doing(name, partial(spark_engine.how_far, spark))

    def report(late: str | None) -> tuple[Mapping[str, Any], ...]:
        cells = cells_sql(
            relation, columns, feature_set, features, without=without, label=label, labels=labels, late=late
        )
        return tuple(row.asDict(recursive=True) for row in spark.sql(report_sql(cells)).collect())

    with step(f"comparing {built.table} with the log"):
        found = report(None)
    if any(each[DIFFERS] for each in found if each["feature"] != label):
        with step("comparing with what was known when it was logged"):
            found = report(_earlier(asked, feature_set))
    return Compared(built.name, built.table, built.version, feature_set, found)


def _features(spark: SparkSession, feature_set: str) -> Mapping[str, Seen]:
    known: dict[str, dict[str, Seen]] = {}
    if spark.catalog.tableExists(FEATURE_SETS.name):
        known = features_seen(spark.table(FEATURE_SETS.name).orderBy("schema_version").toLocalIterator())
    if feature_set not in known:
        fix = "log features to it, or declare it by declare_features"
        raise UnknownNameError.of("feature set", feature_set, known, where="the log", fix=fix)
    return known[feature_set]


def _earlier(asked: tuple[Any, TrainingSetRequest], feature_set: str) -> str:
    """The features of each logged row, as of the newest that it says that it knew."""
    definitions, request = asked
    spine = request.spine
    at = quoted(spine.at)
    newest = f"TIMESTAMP_MICROS(UNIX_MICROS(rows.{at}) - CAST(seen.staleness * 1E6 AS BIGINT)) AS {at}"
    source = f"({spine.relation})" if " " in spine.relation.strip() else spine.relation
    rows = (
        f"SELECT rows.* EXCEPT ({at}), {newest} FROM {source} AS rows"
        f" JOIN {seen_table(feature_set, {}).name} AS seen ON seen.prediction_id = rows.prediction_id"
        " WHERE seen.staleness IS NOT NULL"
    )
    earlier = replace(
        request, spine=replace(spine, relation=rows), labels=(), inclusive=True,
        split=None, sample=None, balance=None, negatives=None,
    )  # fmt: skip
    return compile_training_set(definitions, earlier, "spark").sql
