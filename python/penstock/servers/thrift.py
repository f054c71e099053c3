"""Spark's Thrift server in this process, in the foreground, with Penstock's functions in every session of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentProblem
from penstock.project import Project, start_spark_to_serve
from penstock.servers.jobs import serve_jobs
from penstock.steps import Doing, silently

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# How long Spark may take to end before its JVM is killed.
_SECONDS_TO_STOP = 30


def serve(
    folder: Path | str,
    *,
    target: str | None = None,
    host: str = "127.0.0.1",
    port: int = 10000,
    ready: Callable[[str], None] = print,
    doing: Doing = silently,
) -> None:
    """Start Spark and its Thrift server, and stay until SIGTERM or SIGINT ends both.

    It must be called in the main thread, for the signals.

    Args:
        folder: The folder of `dbt_project.yml`.
        target: The profile's target to start Spark from; its default when None.
        host: The address to listen on.
        port: The port to listen on.
        ready: Called with one line when clients can connect.
        doing: Shows the start.

    Raises:
        EnvironmentProblem: when the address cannot be listened on, the target starts no Spark, Spark does not start,
            another process holds the metastore, or Spark's JVM ends by itself.
        InvalidDefinitionError: when a Python function of the project is wrong.
    """
    project = Project(folder, target)
    settings = project.spark_settings()
    # The next build through the server brings what has changed since.
    functions = project.functions_as_parsed()
    # Asked first, because Spark takes ten seconds to start and would then end in a stack trace.
    _check_address(host, port)
    stop = threading.Event()
    try:
        # A signal while Spark starts waits until it has started: a JVM that is abandoned half-way lives on.
        with _signals(lambda *_: stop.set()), doing("starting Spark"):
            spark = start_spark_to_serve({**settings, **_listen_on(host, port)}, functions)
            server = _start_thrift(spark, host, port)
        # Once more, for PySpark has set its own for SIGINT.
        with _signals(lambda *_: stop.set()), serve_jobs(spark, port):
            if not stop.is_set():
                ready(f"ready: jdbc:hive2://{host}:{port} (Spark {spark.version}, process {os.getpid()})")
            _wait(stop)
            server.stop()
    except KeyboardInterrupt:
        pass  # by PySpark's handler, at the end of the start
    finally:
        _end_jvm()


def _check_address(host: str, port: int) -> None:
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the JVM does: a port that only waits for old connections to end is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _cannot_listen(where, port, error.strerror or str(error)) from None
    except OverflowError:
        raise EnvironmentProblem("there is no such port", where=where, fix="choose one from 1 to 65535") from None


def _cannot_listen(where: str, port: int, reason: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"the server cannot listen there: {reason.lower()}",
        where=where,
        fix=f"stop what uses that port, or choose another: penstock serve --port {min(port + 1, 65535)}",
    )


def _listen_on(host: str, port: int) -> Mapping[str, str]:
    return {
        "spark.hadoop.hive.server2.transport.mode": "binary",
        "spark.hadoop.hive.server2.thrift.bind.host": host,
        "spark.hadoop.hive.server2.thrift.port": str(port),
    }


def _start_thrift(spark: SparkSession, host: str, port: int) -> Any:
    jvm: Any = spark._jvm
    thrift = jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    try:
        # False: Spark must not end the JVM by itself when the server does not start.
        return thrift.startWithSparkSession(spark._jsparkSession, False)
    except Exception as error:
        # The port was free a moment ago: another server was quicker, or a setting of the profile is wrong.
        reason = str(getattr(error, "java_exception", error)).splitlines()[0]
        raise _cannot_listen(f"{host}:{port}", port, reason) from error


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
