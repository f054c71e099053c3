"""A training set's table beside what its record makes now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from penstock.engines.spark import with_settings
from penstock.engines.told import told
from penstock.errors import EnvironmentProblem, InvalidRequestError, PenstockError
from penstock.training_sets.checksum import checksum, checksum_parts
from penstock.training_sets.history import last_build
from penstock.training_sets.record import Record, record_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# With this, versions are read however old they are, if their files are there. Delta refuses them otherwise.
OLD_VERSIONS = {"spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false"}
_CONDITION = re.compile(r"^\[[A-Z_0-9.]+\]\s*")
# How far doubles may differ that were summed in another order: of the value, and of the column's greatest value.
_OF_VALUE, _OF_COLUMN = 1e-9, 1e-12


@dataclass(frozen=True)
class BuiltSet:
    """A training set's table as its last build left it.

    Args:
        record: What it was made from; None where the table does not say so.
        version: The Delta version that the build wrote.
        rows: How many rows it wrote; None of a clone.
        built_at: When.
        written_since: What has changed its rows since ("version 3, MERGE"); None where nothing has.
    """

    record: Record | None
    version: int
    rows: int | None
    built_at: datetime
    written_since: str | None


@dataclass(frozen=True)
class Difference:
    """What two tables of the same columns do not share.

    Args:
        rows: Rows of which one side has more, but for doubles.
        values: By column, how many doubles differ by more than the order of adding explains.
        last_digits: By column, how many differ by no more than that.
    """

    rows: int
    values: Mapping[str, int]
    last_digits: Mapping[str, int]

    @property
    def is_none(self) -> bool:
        """Whether the order of adding explains all of it."""
        return not self.rows and not self.values


def built_set(spark: SparkSession, relation: str) -> BuiltSet | None:
    """The training set in a Delta table; None where there is no such table."""
    from pyspark.errors import AnalysisException

    try:
        properties = spark.sql(f"DESCRIBE DETAIL {relation}").collect()[0]["properties"]
        history = (
            spark.sql(f"DESCRIBE HISTORY {relation}")
            .select("version", "timestamp", "operation", "operationMetrics.numOutputRows")
            .collect()
        )
    except AnalysisException:
        return None
    record = record_of(properties)
    merged = None if record is None else record.merged
    version, since = last_build(((int(row["version"]), row["operation"]) for row in history), merged)
    built = next((row for row in history if row["version"] == version), history[0])
    # a merge counts the rows that it wrote, not those that it left
    rows = None if built["numOutputRows"] is None or version == merged else int(built["numOutputRows"])
    return BuiltSet(record, int(built["version"]), rows, built["timestamp"], since)


@contextmanager
def inputs_of(spark: SparkSession, record: Record, fix: str) -> Iterator[None]:
    """Within, the inputs of a record are read in their versions, under the settings that it was built with.

    Raises:
        InvalidRequestError: when an input never had versions.
        EnvironmentProblem: when a version is gone, from the log or from the disk.
        PenstockError: what Spark says of a statement within.
    """
    if record.unpinned:
        raise InvalidRequestError(
            f"{record.unpinned[0]} has no versions, so what it held when the training set was built is not known",
            where="an input that is a view, or no Delta table",
            fix="materialize it as a Delta table, and build the training set anew",
        )
    _check(spark, record, fix, _missing_in_log)
    try:
        with with_settings(spark, {**OLD_VERSIONS, **record.session}):
            yield
    except PenstockError:
        raise
    except Exception as error:
        with with_settings(spark, OLD_VERSIONS):
            _check(spark, record, fix, _missing_on_disk)
        shown = told(error, spark)
        if shown is None:
            raise
        raise shown from error


def _check(
    spark: SparkSession, record: Record, fix: str, missing: Callable[[SparkSession, str, int | None], str]
) -> None:
    for relation, version in record.inputs.items():
        lacks = missing(spark, relation, version)
        if lacks:
            raise EnvironmentProblem(
                f"version {version} of {relation} is gone: {lacks}", where="an input of the training set", fix=fix
            )


def _missing_in_log(spark: SparkSession, relation: str, version: int | None) -> str:
    """Why the log does not tell of a version; nothing where it does."""
    from pyspark.errors import AnalysisException

    try:
        with with_settings(spark, OLD_VERSIONS):
            _at(spark, relation, version)
    except AnalysisException as error:
        if error.getCondition() == "TABLE_OR_VIEW_NOT_FOUND":
            return "the table is not there"
        return _CONDITION.sub("", str(error).splitlines()[0])[:200]
    return ""


def _missing_on_disk(spark: SparkSession, relation: str, version: int | None) -> str:
    """How many files a version lacks; nothing where all are there."""
    jvm: Any = spark._jvm
    files = _at(spark, relation, version).inputFiles()
    conf = spark._jsparkSession.sessionState().newHadoopConf()
    paths = [jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(file)) for file in files]
    lost = sum(not path.getFileSystem(conf).exists(path) for path in paths)
    return f"{lost} of its {len(files)} files are not there, VACUUM took them" if lost else ""


def _at(spark: SparkSession, relation: str, version: int | None) -> DataFrame:
    return spark.sql(f"SELECT * FROM {relation} VERSION AS OF {version}")


def write_record(spark: SparkSession, table: str, record: Record) -> None:
    """Give a table the record of what it was made from, in one commit."""
    pairs = (
        f"{exp.Literal.string(name).sql('spark')} = {exp.Literal.string(value).sql('spark')}"
        for name, value in record.properties().items()
    )
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({', '.join(pairs)})")


def checksum_of(frame: DataFrame) -> tuple[int, str]:
    """The number of rows of a frame, and their checksum."""
    parts = list(frame.selectExpr(*checksum_parts(frame.dtypes)).collect()[0])
    return int(parts[0]), checksum(frame.dtypes, parts)


def difference(left: DataFrame, right: DataFrame) -> Difference:
    """What two frames do not share, where doubles may differ by as much as another order of adding explains.

    Rows belong together that are equal in all that is no double. Among them the doubles of each column are compared in
    their order, smallest with smallest: if each moved by less than some length, those in order did too.
    """
    from pyspark.sql import functions as f

    if sorted(left.dtypes) != sorted(right.dtypes):
        raise InvalidRequestError(
            f"the columns are {', '.join(f'{n} {t}' for n, t in left.dtypes)}, and would be "
            + ", ".join(f"{n} {t}" for n, t in right.dtypes),
            where="the training set's table",
        )
    doubles = [name for name, kind in left.dtypes if kind in ("double", "float")]
    both = (
        _long(left, doubles)
        .withColumn("side", f.lit(1))
        .unionByName(_long(right, doubles).withColumn("side", f.lit(-1)))
    )
    pairs = both.groupBy("key", "column", "place").agg(
        f.sum("side").alias("more"), *(f.max(f.when(f.col("side") == s, f.col("value"))).alias(n) for s, n in _SIDES)
    )
    finite = f.abs("value") < float("inf")
    sizes = both.where(finite).groupBy("column").agg(f.max(f.abs("value")).alias("size"))
    joined = pairs.join(f.broadcast(sizes), "column", "left")
    near = f.abs(f.col("a") - f.col("b")) <= (
        _OF_VALUE * f.greatest(f.abs("a"), f.abs("b")) + _OF_COLUMN * f.coalesce("size", f.lit(0.0))
    )
    within = f.coalesce((f.abs("a") < float("inf")) & (f.abs("b") < float("inf")) & near, f.lit(False))
    apart = (f.col("more") == 0) & ~f.col("a").eqNullSafe(f.col("b"))
    counts = joined.groupBy("column").agg(
        f.count_if(f.col("more") != 0).alias("rows"),
        f.count_if(apart & ~within).alias("values"),
        f.count_if(apart & within).alias("last_digits"),
    )
    found = counts.collect()
    return Difference(
        rows=max((row["rows"] for row in found), default=0),
        values={row["column"]: row["values"] for row in found if row["values"]},
        last_digits={row["column"]: row["last_digits"] for row in found if row["last_digits"]},
    )


_SIDES = ((1, "a"), (-1, "b"))


def _long(frame: DataFrame, doubles: list[str]) -> DataFrame:
    """Each double of each row with its column and its place among the rows that are otherwise equal."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    exact = sorted(name for name in frame.columns if name not in doubles)
    row = (
        f.to_json(f.struct(*(f.col(_quoted(n)) for n in exact)), {"ignoreNullFields": "false"}) if exact else f.lit("")
    )
    entries = [f.struct(f.lit(n).alias("column"), f.col(_quoted(n)).cast("double").alias("value")) for n in doubles]
    none = f.struct(f.lit("").alias("column"), f.lit(None).cast("double").alias("value"))
    long = frame.select(f.sha2(row, 256).alias("key"), f.explode(f.array(none, *entries)).alias("entry"))
    values = long.select("key", "entry.column", "entry.value")
    order = Window.partitionBy("key", "column").orderBy("value")
    return values.withColumn("place", f.row_number().over(order))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
