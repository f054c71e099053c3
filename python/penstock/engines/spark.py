"""Spark with Delta in this process: open the one session, run SQL, put Python functions into every session."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engines.told import DISK_FULL, no_space, told
from penstock.errors import EnvironmentProblem

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

JAVA_VERSIONS = (17, 21)


@dataclass(frozen=True)
class PythonFunction:
    """A Python body for a SQL function.

    Attributes:
        name: The name that SQL calls.
        udf: What `pyspark.sql.functions.arrow_udf` or `pandas_udf` returned.
    """

    name: str
    udf: Any


def java_version() -> tuple[int, str]:
    """The major version of the Java that Spark will start, and the path of its `java`.

    Raises:
        EnvironmentProblem: when there is no Java, or one that Spark 4.2 does not run on.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    fix = "install Java 17 or 21 (Debian: apt-get install openjdk-17-jre-headless) or point JAVA_HOME at one"
    if not java or not Path(java).exists():
        raise EnvironmentProblem("Java was not found", where=f"JAVA_HOME={home}" if home else "PATH", fix=fix)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    major = int(found.group(1)) if found else 0
    if major not in JAVA_VERSIONS:
        raise EnvironmentProblem(f"Java {major or '?'} cannot run Spark 4.2", where=java, fix=fix)
    return major, java


def open_session(settings: Mapping[str, str], *, log: Path) -> SparkSession:
    """The Spark session of this process, made with `settings` if there is none yet.

    Args:
        settings: Spark's own settings, as in the profile's `server_side_parameters`.
        log: The file that takes what the JVM and Ivy print while and after they start.

    Raises:
        EnvironmentProblem: when Java is missing or wrong, the session does not start, or another process holds the
            metastore.
    """
    from pyspark.sql import SparkSession

    running = running_session()
    if running is not None:
        return running
    java_version()
    # Workers run this very interpreter unless the profile names theirs. Spark's default is the first `python3` on the
    # PATH, and where Python has started the JVM it looks at the variable only.
    os.environ["PYSPARK_PYTHON"] = settings.get("spark.pyspark.python") or os.environ.get(
        "PYSPARK_PYTHON", sys.executable
    )
    # PySpark repeats each failed statement as JSON on stderr, beside the exception that already carries it.
    for noisy in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    builder = SparkSession.builder.appName("penstock").enableHiveSupport()
    for name, value in settings.items():
        builder = builder.config(name, value)
    with starting(log):
        session = builder.getOrCreate()
    # A thread of PySpark's prints a traceback when the JVM ends, beside the error that the statement raises.
    session.sparkContext._accumulatorServer.handle_error = lambda *_: None
    _open_metastore(session, log)
    return session


def _open_metastore(session: SparkSession, log: Path) -> None:
    """Connect to the metastore now: Spark would do it at the first statement, and fail there in a page of causes."""
    from pyspark.errors import PySparkException

    try:
        session.catalog.databaseExists("default")
    except PySparkException as error:
        session.stop()
        said = f"{error}\n{getattr(error, '_stackTrace', '')}"
        # Derby's code for a database that is open in another JVM.
        held = re.search(r"ERROR XSDB6: .*booted the database (.+)\.", said)
        if held:
            raise EnvironmentProblem(
                "another process holds the metastore, which takes one at a time",
                where=held.group(1),
                fix="stop that process (a build, or a server), or build through the server: dbt build --target cluster",
            ) from None
        if DISK_FULL in said:
            raise no_space() from None
        raise EnvironmentProblem(
            f"the metastore does not open: {said.splitlines()[0]}", where=str(log), fix="read that log"
        ) from error


def running_session() -> SparkSession | None:
    """The Spark session of this process, whichever thread opened it; None when there is none."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    # getActiveSession() knows the calling thread's only, and dbt runs each node in a thread of its own.
    return SparkSession.builder.getOrCreate() if SparkContext._active_spark_context else None


def promote(spark: SparkSession, function: PythonFunction) -> None:
    """Make a Python function callable by name from every session of this Spark, JDBC ones too.

    `spark.udf.register` gives a temporary function to one session, and persistent views and SQL functions may not use
    it. Its builder is therefore copied into Spark's built-in registry, which later sessions clone, and into this
    session's own, and the temporary twin is dropped. This is internal API of Spark 4.2, kept to this function and
    `register_builtin`.
    """
    spark.udf.register(function.name, function.udf)
    jvm: Any = spark._jvm
    some = jvm.scala.Option.apply
    temporary = jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(function.name, some("session"), some("system"))
    registry = spark._jsparkSession.sessionState().functionRegistry()
    info = registry.lookupFunction(temporary).get()
    register_builtin(spark, function.name, info, registry.lookupFunctionBuilder(temporary).get())
    spark.sql(f"DROP TEMPORARY FUNCTION {function.name}")


def register_builtin(spark: SparkSession, name: str, info: Any, builder: Any) -> None:
    """Put a function's builder into the registry that later sessions clone, and into this session's own.

    Args:
        spark: A session of the Spark that is to know the function.
        name: The function's name.
        info: Spark's `ExpressionInfo` of it.
        builder: A Scala function from the arguments' expressions to an expression.
    """
    jvm: Any = spark._jvm
    some = jvm.scala.Option.apply
    permanent = jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name, some("builtin"), some("system"))
    own = spark._jsparkSession.sessionState().functionRegistry()
    for registry in (jvm.org.apache.spark.sql.catalyst.analysis.FunctionRegistry.builtin(), own):
        registry.registerFunction(permanent, info, builder)


def run(spark: SparkSession, sql: str) -> pa.Table:
    """Run one statement and fetch its rows.

    Raises:
        PenstockError: when Spark refuses the statement, or it fails while it runs.
    """
    import pyarrow as pa

    try:
        frame = spark.sql(sql)
        try:
            return frame.toArrow()
        except pa.ArrowInvalid:  # the answer of a command may hold a NULL that its schema says can't be: OPTIMIZE
            return pa.Table.from_pylist([row.asDict(recursive=True) for row in frame.collect()])
    except Exception as error:
        shown = told(error, spark)
        if shown is None:
            raise
        raise shown from error


def how_far(spark: SparkSession) -> str:
    """What Spark runs now, in words; nothing between two jobs. It may be asked from any thread."""
    tracker = spark.sparkContext.statusTracker()
    try:
        jobs = tracker.getActiveJobsIds()
        job = tracker.getJobInfo(jobs[-1]) if jobs else None
        active = tracker.getActiveStageIds()
        stages = sorted(job.stageIds) if job else []
        now = next((stage for stage in reversed(stages) if stage in active), None)
        stage = tracker.getStageInfo(now) if now is not None else None
    except Exception:  # Spark has ended; the statement itself tells it
        return ""
    if stage is None:
        return ""
    at = f"stage {stages.index(now) + 1} of {len(stages)}"
    return f"{at}, {stage.numCompletedTasks} of {stage.numTasks} tasks"


@contextmanager
def with_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Within, a session has these settings; afterwards those that it had."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, known in before.items():
            if known is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, known)


def delta_version(spark: SparkSession, relation: str) -> int | None:
    """The present version of a Delta table; None of anything else.

    Args:
        spark: A session.
        relation: Its name, as SQL text.
    """
    from pyspark.errors import AnalysisException

    try:
        row = spark.sql(f"DESCRIBE HISTORY {relation} LIMIT 1").first()
    except AnalysisException:  # a view, or a table of another format
        return None
    return int(row["version"]) if row is not None else None


@contextmanager
def starting(log: Path) -> Iterator[None]:
    """Within, a JVM starts; what it and Ivy print goes to `log`, from which is told why it does not start.

    Raises:
        EnvironmentProblem: when what stands within raises.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = log.stat().st_size if log.exists() else 0
    try:
        with _stderr_to(log):
            yield
    except Exception as error:
        with log.open("rb") as file:
            file.seek(before)
            said = file.read().decode(errors="replace")
        raise _cannot_start(said, log, error) from error


def _cannot_start(said: str, log: Path, error: Exception) -> EnvironmentProblem:
    missing = re.findall(r"unresolved dependency: (\S+?): not found", said)
    if missing:
        return EnvironmentProblem(
            f"Spark's jars cannot be fetched: {', '.join(dict.fromkeys(missing))}",
            where=str(log),
            fix="the first start downloads them from Maven Central: check network and proxy, and start again",
        )
    if DISK_FULL in said:
        return no_space()
    causes = re.findall(r"^(?:Caused by|Exception in thread[^:]*): (.+)$", said, re.M)
    return EnvironmentProblem(
        f"Spark did not start: {causes[-1][:300] if causes else error}",
        where=str(log),
        fix="read that log; `penstock doctor` checks Java, jars, profile and folders one by one",
    )


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """Point the process's stderr at a file while a child that inherits it is started."""
    kept = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
