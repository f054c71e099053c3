"""Upkeep of Delta tables that takes no version which somebody has recorded.

VACUUM knows an age. Here it is also told the files that it may take (`USING INVENTORY`), which are all but those of
recorded versions and of shallow clones; so an old version stays, and what came after it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.engines.reproduce import OLD_VERSIONS
from penstock.engines.spark import with_settings
from penstock.training_sets.record import record_of

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

    from penstock.maintenance import Policy

# By table and version, who has recorded that version.
Pins = Mapping[str, Mapping[int, str]]

_SETTINGS = {
    # The declared age is meant, be it less than a week.
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    # Else the age in the statement counts for nothing beside the table's property.
    "spark.databricks.delta.vacuum.retentionWindowIgnore.enabled": "false",
}
_LOG = "delta.logRetentionDuration"
_LOG_DAYS = 30  # Delta's default
_INVENTORY = "penstock_inventory"


@dataclass(frozen=True)
class Clone:
    """A shallow clone of a table, and the version of the table that it began with."""

    name: str
    source: str
    version: int


@dataclass
class Upkeep:
    """What was done for a table, or would be.

    Args:
        table: Its name.
        done: The statements, and what came of them.
        kept: What VACUUM had to leave, and for whom.
    """

    table: str
    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def recorded_pins(spark: SparkSession) -> tuple[dict[str, dict[int, str]], list[Clone]]:
    """The versions that training sets in any schema were made from, and the shallow clones that there are."""
    pins: dict[str, dict[int, str]] = {}
    clones: list[Clone] = []
    for name, detail in _delta_tables(spark):
        record = record_of(detail["properties"])
        for table, version in (record.inputs if record else {}).items():
            if version is not None:
                others = pins.setdefault(plain(table), {})
                others[version] = ", ".join(filter(None, (others.get(version), f"training set {plain(name)}")))
        for row in spark.sql(f"DESCRIBE HISTORY {name}").where("operation = 'CLONE'").collect():
            asked = row["operationParameters"]
            clones.append(Clone(name, plain(asked["source"]), int(asked["sourceVersion"])))
    return pins, clones


def plain(name: str) -> str:
    """A table's name without the catalog that is always the same."""
    return name.replace("`", "").removeprefix("spark_catalog.").lower()


def maintain(
    spark: SparkSession, policy: Policy, pins: Pins, clones: Iterable[Clone], *, dry_run: bool
) -> Upkeep | None:
    """Carry out the policy of one table; None where there is no such Delta table.

    Args:
        spark: A session.
        policy: What is declared.
        pins: The versions that must stay.
        clones: All shallow clones; those of the table keep its files.
        dry_run: Only tell what would be done.
    """
    detail = _detail(spark, policy.table)
    if detail is None:
        return None
    found = Upkeep(policy.table)
    versions = dict(pins.get(plain(policy.table), {}))
    for clone in clones:
        if clone.source == plain(policy.table):
            versions.setdefault(clone.version, f"clone {plain(clone.name)}")
    _keep_log(spark, detail, policy, versions, found, dry_run=dry_run)
    if policy.cluster_by and list(policy.cluster_by) != detail["clusteringColumns"]:
        columns = ", ".join(f"`{column}`" for column in policy.cluster_by)
        _do(spark, f"ALTER TABLE {policy.table} CLUSTER BY ({columns})", found, dry_run=dry_run)
    if policy.optimize:
        _do(spark, f"OPTIMIZE {policy.table}", found, dry_run=dry_run)
    if policy.keep is not None:
        _vacuum(spark, detail, policy, versions, list(clones), found, dry_run=dry_run)
    return found


def _do(spark: SparkSession, statement: str, found: Upkeep, *, dry_run: bool) -> None:
    if not dry_run:
        spark.sql(statement).collect()
    found.done.append(statement)


def _keep_log(
    spark: SparkSession, detail: Row, policy: Policy, versions: Mapping[int, str], found: Upkeep, *, dry_run: bool
) -> None:
    """Let Delta keep its log as far back as the oldest recorded version, and a month longer, until we look again."""
    if not versions:
        return
    history = spark.sql(f"DESCRIBE HISTORY {policy.table}").where(f"version = {min(versions)}").collect()
    if not history:  # it is gone already
        return
    age = datetime.now(UTC) - history[0]["timestamp"].astimezone(UTC)
    if age.days + _LOG_DAYS > _days(detail["properties"].get(_LOG)):
        wanted = f"interval {2 * age.days + 2 * _LOG_DAYS} days"
        _do(spark, f"ALTER TABLE {policy.table} SET TBLPROPERTIES ('{_LOG}' = '{wanted}')", found, dry_run=dry_run)


def _days(declared: str | None) -> int:
    """A retention in days, rounded down; one that is not in days counts as Delta's default."""
    words = (declared or "").lower().removeprefix("interval").split()
    return int(words[0]) if len(words) == 2 and words[0].isdigit() and words[1].startswith("day") else _LOG_DAYS


def _vacuum(
    spark: SparkSession,
    detail: Row,
    policy: Policy,
    versions: Mapping[int, str],
    clones: list[Clone],
    found: Upkeep,
    *,
    dry_run: bool,
) -> None:
    assert policy.keep is not None
    files = _files_of_versions(spark, policy.table, versions, found)
    files |= _files_of_clones(spark, detail["location"], clones, found)
    retain = f"RETAIN {policy.keep.microseconds / 3_600_000_000:.6f} HOURS"
    with with_settings(spark, _SETTINGS):
        if not files:
            _do(spark, f"VACUUM {policy.table} {retain}", found, dry_run=dry_run)
            return
        _inventory(spark, detail["location"], files)
        try:
            inventory = f"USING INVENTORY (SELECT * FROM {_INVENTORY})"
            _do(spark, f"VACUUM {policy.table} {inventory} {retain}", found, dry_run=dry_run)
        finally:
            spark.catalog.dropTempView(_INVENTORY)


def _files_of_versions(spark: SparkSession, table: str, versions: Mapping[int, str], found: Upkeep) -> set[str]:
    from pyspark.errors import AnalysisException

    files: set[str] = set()
    with with_settings(spark, OLD_VERSIONS):
        for version, who in sorted(versions.items()):
            try:
                read = spark.sql(f"SELECT * FROM {table} VERSION AS OF {version}").inputFiles()
            except AnalysisException:
                found.kept.append(f"version {version} for {who}: it is gone already")
                continue
            files |= {_name(file) for file in read}
            found.kept.append(f"version {version} for {who}")
    return files


def _files_of_clones(spark: SparkSession, location: str, clones: list[Clone], found: Upkeep) -> set[str]:
    """The files in a table's folder that shallow clones read, those of clones of clones too."""
    here = location.removeprefix("file:").rstrip("/") + "/"
    files: set[str] = set()
    for name in sorted({clone.name for clone in clones}):
        read = {_name(file) for file in spark.table(name).inputFiles() if here in file}
        if read:
            found.kept.append(f"{len(read)} files for clone {plain(name)}")
        files |= read
    return files


def _inventory(spark: SparkSession, location: str, spared: set[str]) -> None:
    """A view of the data files in a table's folder without those that are to be spared.

    A file's own name tells it from all others. Files of deletion vectors are small, and stay while any version does.
    """
    from pyspark.sql import functions as f

    listed = spark.read.format("binaryFile").option("recursiveFileLookup", "true").option("pathGlobFilter", "*.parquet")
    kept = spark.createDataFrame([(name,) for name in sorted(spared)], "name string")
    free = (
        listed.load(location)
        .withColumn("name", f.substring_index("path", "/", -1))
        .join(f.broadcast(kept), "name", "left_anti")
    )
    # Delta wants each column to be one that may be NULL.
    free.select(
        f.expr("nullif(path, '')").alias("path"),
        f.expr("nullif(length, -1L)").alias("length"),
        f.expr("nullif(false, true)").alias("isDir"),
        f.expr("nullif(unix_millis(modificationTime), -1L)").alias("modificationTime"),
    ).createOrReplaceTempView(_INVENTORY)


def _name(file: str) -> str:
    return file.rpartition("/")[2]


def _delta_tables(spark: SparkSession) -> Iterator[tuple[str, Row]]:
    for schema in spark.sql("SHOW SCHEMAS").collect():
        for row in spark.sql(f"SHOW TABLES IN `{schema[0]}`").where("NOT isTemporary").collect():
            name = f"`{row['namespace']}`.`{row['tableName']}`"
            detail = _detail(spark, name)
            if detail is not None:
                yield name, detail


def _detail(spark: SparkSession, name: str) -> Any:
    from pyspark.errors import AnalysisException

    try:
        detail = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]
    except AnalysisException:  # a view, or nothing
        return None
    return detail if detail["format"] == "delta" else None
