"""Spark's Thrift server in this process, in the foreground, with Penstock's functions in every session of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.engines.usage import ledger
from penstock.errors import EnvironmentProblem
from penstock.home import home
from penstock.project import Project
from penstock.servers.jobs import serve_jobs
from penstock.servers.listen import Listen
from penstock.sessions import start_spark_to_serve
from penstock.steps import Doing, silently

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# How long Spark may take to end before its JVM is killed.
_SECONDS_TO_STOP = 30


def serve(
    folder: Path | str,
    listen: Listen,
    *,
    target: str | None = None,
    ready: Callable[[str], None] = print,
    doing: Doing = silently,
) -> None:
    """Start Spark and its Thrift server, and stay until SIGTERM or SIGINT ends both.

    It must be called in the main thread, for the signals.

    Args:
        folder: The folder of `dbt_project.yml`.
        listen: Where to listen, and who may come in.
        target: The profile's target to start Spark from; its default when None.
        ready: Called with one line when clients can connect.
        doing: Shows the start.

    Raises:
        EnvironmentProblem: when the address cannot be listened on, the target starts no Spark, Spark does not start,
            another process holds the metastore, or Spark's JVM ends by itself.
        InvalidRequestError: when the address would be open to anybody.
        InvalidDefinitionError: when a Python function of the project is wrong.
    """
    project = Project(folder, target)
    settings = project.spark_settings()
    # The next build through the server brings what has changed since.
    functions = project.functions_as_parsed()
    # Asked first, because Spark takes ten seconds to start and would then end in a stack trace.
    listen.check()
    java = [Path(__file__).with_name("PasswordCheck.java")] if listen.users else []
    stop = threading.Event()
    place = home() / "servers"
    place.mkdir(parents=True, exist_ok=True)
    try:
        # A signal while Spark starts waits until it has started: a JVM that is abandoned half-way lives on.
        with _signals(lambda *_: stop.set()), listen.thrift_settings(place) as thrift, doing("starting Spark"):
            spark = start_spark_to_serve({**settings, **thrift}, functions, java_sources=java)
            server = _start_thrift(spark, listen)
        # Once more, for PySpark has set its own for SIGINT.
        with _signals(lambda *_: stop.set()), serve_jobs(spark, listen):
            if not stop.is_set():
                ready(f"ready: {_url(listen)} (Spark {spark.version}, process {os.getpid()})")
            _wait(stop)
            server.stop()
            ledger().write_quietly()
    except KeyboardInterrupt:
        pass  # by PySpark's handler, at the end of the start
    finally:
        _end_jvm()


def _url(listen: Listen) -> str:
    return f"jdbc:hive2://{listen.host}:{listen.port}{'/;ssl=true' if listen.certificate else ''}"


def _start_thrift(spark: SparkSession, listen: Listen) -> Any:
    jvm: Any = spark._jvm
    if listen.users:
        # Hive reads the one for each login, from the JVM's properties only; `PasswordCheck.java` reads the other.
        jvm.java.lang.System.setProperty("hive.server2.custom.authentication.class", "penstock.PasswordCheck")
        jvm.java.lang.System.setProperty("penstock.users", str(listen.users.absolute()))
    thrift = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    try:
        # False: Spark must not end the JVM by itself when the server does not start.
        return thrift.startWithSparkSession(spark._jsparkSession, False)
    except Exception as error:
        # The port was free a moment ago: another server was quicker, or a setting of the profile is wrong.
        reason = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise listen.cannot_listen(listen.port, reason) from error


def _wait(stop: threading.Event) -> None:
    """Until the event is set; a JVM that dies meanwhile is an error and no silent server."""
    from pyspark import SparkContext

    process = SparkContext._gateway.proc
    while not stop.wait(timeout=1):
        if process.poll() is not None:
            raise EnvironmentProblem(
                f"Spark's JVM ended by itself (exit code {process.returncode})",
                where="logs/spark.log under PENSTOCK_HOME",
                fix="read that log; when it ran out of memory, raise PENSTOCK_DRIVER_MEMORY",
            )


def _end_jvm() -> None:
    """End Spark and wait until its JVM is gone, so that who starts the next one finds port and metastore free."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is None:
        return
    process = gateway.proc
    if process.poll() is None:
        if SparkContext._active_spark_context is not None:
            SparkContext._active_spark_context.stop()
        gateway.shutdown()
        process.stdin.close()  # the JVM that PySpark starts ends with it
        try:
            process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
    SparkContext._gateway = None


@contextmanager
def _signals(handler: Callable[..., None]) -> Iterator[None]:
    """SIGTERM and SIGINT go to `handler` within; afterwards as before."""
    kept = {each: signal.signal(each, handler) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, before in kept.items():
            signal.signal(each, before)
