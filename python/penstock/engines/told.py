"""What Spark and the system raise, as one message for people: no page of Java frames, no Python traceback of a worker.

Spark's own condition (`TABLE_OR_VIEW_NOT_FOUND`) stays in the message, for it is what one searches for.
"""

from __future__ import annotations

import errno
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import EnvironmentProblem, InvalidRequestError, PenstockError, UnknownNameError, nearest
from penstock.home import home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DISK_FULL = "No space left on device"
# The condition of Spark's errors that carry a message of ours from the analysis of a statement.
OUR_ERROR = "USER_RAISED_EXCEPTION"
_OURS = re.compile(rf"\[{OUR_ERROR}\] ((?:(?!\[{OUR_ERROR}\]).)+?) SQLSTATE: P0001", re.S)

# What the operating system refuses for reasons of the place.
_REFUSED = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
    errno.EROFS: "let this user write there",
}

# Conditions that name a thing which is not there: its kind, and the message parameter that holds its name.
_UNKNOWN = {
    "UNRESOLVED_ROUTINE": ("function", "routineName"),
    "TABLE_OR_VIEW_NOT_FOUND": ("table", "relationName"),
    "SCHEMA_NOT_FOUND": ("schema", "schemaName"),
    "UNRESOLVED_COLUMN.WITH_SUGGESTION": ("column", "objectName"),
    "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION": ("column", "objectName"),
    "UNRECOGNIZED_PARAMETER_NAME": ("argument", "argumentName"),
}
_FIXES = {
    "function": "the project's functions lie under udfs/: dbt build --select resource_type:function",
    "table": "dbt build makes the project's tables",
    "schema": "dbt build makes the project's schema",
}
# A task's failure is wrapped: the cause that it has says more.
_WRAPPER = re.compile(r"^(Job aborted|\[TASK_WRITE_FAILED\]|Task failed|Exception thrown in awaitResult)")
_CAUSE = re.compile(r"^(?:Caused by: )?[\w.$]+(?:Exception|Error):\s+(.+?)(?=\n\s*at |\nCaused by|\Z)", re.M | re.S)
# What Hive's part of the Thrift server puts before Spark's own message.
_SERVER = re.compile(r"^.*HiveSQLException: Error running query: (?:\[[A-Z_0-9.]+\] )?", re.S)
# The ways in which Delta refuses a commit because of another one.
_CONFLICT = re.compile(r"DELTA_(?:CONCURRENT_\w+|METADATA_CHANGED|PROTOCOL_CHANGED)")
_CONDITION = re.compile(r"^\[([A-Z_0-9.]+)\]\s*")
_PLACE = re.compile(r"line (\d+),? pos (\d+)")
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+), in .*$', re.M)


class FunctionFailed(PenstockError):
    """A Python function of the project raised an error while a query ran."""


class WriteConflict(PenstockError):
    """Another writer committed to a table in between."""


def told(error: BaseException, spark: SparkSession | None = None) -> PenstockError | None:
    """One message for an error of ours, of the operating system, of Spark, of its JVM or of a Python worker.

    Args:
        error: What was raised.
        spark: The session that ran the statement, which is asked for names that come near.

    Returns:
        The error to show, or None when it is none of these: a bug.
    """
    if isinstance(error, PenstockError):
        return error
    if isinstance(error, OSError) and error.errno in _REFUSED:
        what = (error.strerror or str(error)).lower()
        return EnvironmentProblem(what, where=str(error.filename or ""), fix=_REFUSED[error.errno])
    from py4j.protocol import Py4JError, Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.errors.exceptions.captured import CapturedException

    if isinstance(error, Py4JError | ConnectionError) and _jvm_has_ended():
        return EnvironmentProblem(
            "Spark's JVM ended by itself",
            where=str(home() / "logs" / "spark.log"),
            fix="read that log; when it ran out of memory, raise PENSTOCK_DRIVER_MEMORY",
        )
    if isinstance(error, CapturedException):
        return _of_java(error._desc, f"{error._desc}\n{error._stackTrace}", error, spark)
    if isinstance(error, Py4JJavaError):
        return _of_java("", _stack(error), None, spark)
    if isinstance(error, PySparkException | Py4JError):
        return InvalidRequestError(_sentence(str(error)), where="Spark")
    return None


def told_by_server(text: str) -> PenstockError | None:
    """As `told`, for the text that a Thrift server sends; None when the text is of another kind."""
    if not _SERVER.search(text):
        return None
    # dbt has indented each line.
    return _of_java("", re.sub(r"^ {2}", "", _SERVER.sub("", text), flags=re.M), None, None)


def _of_java(message: str, text: str, error: Any, spark: SparkSession | None) -> PenstockError:
    """By what the text holds, most telling first; `error` is PySpark's own, if it has made one."""
    if DISK_FULL in text:
        return no_space()
    ours = _OURS.search(text)
    if ours:
        return InvalidRequestError.from_text(ours.group(1))
    if "Traceback (most recent call last)" in text:
        return of_traceback(text)
    conflict = _CONFLICT.search(text)
    if conflict:
        return WriteConflict(
            "another writer changed the table in the meantime, and nothing of this statement was written",
            where=f"Delta ({conflict.group()})",
            fix="run it again",
        )
    if re.search(r"SparkContext was shut ?down|stopped SparkContext|SparkContext is stopped", text, re.I):
        return EnvironmentProblem("Spark was stopped", where="the statement that ran", fix="run it again")
    if error is not None and error.getCondition():
        return _of_condition(error.getCondition(), message, error.getMessageParameters() or {}, spark)
    causes = _CAUSE.findall(text) or [message or text.strip().splitlines()[0]]
    named = [cause for cause in causes if _CONDITION.match(cause) and not _WRAPPER.match(cause)]
    return _refused((named or causes[-1:])[0])


def _of_condition(
    condition: str, message: str, parameters: Mapping[str, str], spark: SparkSession | None
) -> PenstockError:
    where = _where(message, condition)
    routine = parameters.get("routineName") or parameters.get("functionName") or ""
    if condition in _UNKNOWN:
        kind, parameter = _UNKNOWN[condition]
        name = _plain(parameters.get(parameter, ""))
        proposed = re.findall(r"`([^`]+)`", re.sub(r"`\.`", ".", parameters.get("proposal", "")))
        near = proposed or nearest(name.split(".")[-1], _known(kind, name, spark))
        fix = _signature(routine, spark) if kind == "argument" else _FIXES.get(kind, "")
        return UnknownNameError(f"unknown {kind} '{name}'", where=where, near=near, fix=fix)
    return _refused(message, where=where, fix=_signature(routine, spark))


def _refused(message: str, *, where: str = "", fix: str = "") -> InvalidRequestError:
    named = _CONDITION.match(message)
    return InvalidRequestError(
        _sentence(message), where=where or _where(message, named.group(1) if named else ""), fix=fix
    )


def _where(message: str, condition: str) -> str:
    place = _PLACE.search(message)
    at = f", line {place.group(1)}, column {int(place.group(2)) + 1}" if place else ""
    return f"the SQL that ran{at}{f' ({condition})' if condition else ''}"


def _sentence(message: str) -> str:
    """Spark's message without its condition, its plan, the statement, and where to read more."""
    message = message.strip()
    text = re.split(r";\n|\n\n|\n== SQL|\nJVM stacktrace|\s*SQLSTATE: ", message)[0]
    text = re.sub(r"\s*Please,? refer to 'https?://[^']*' for a fix\.?", "", _CONDITION.sub("", text))
    return " ".join(text.split()).rstrip(".")


def no_space() -> EnvironmentProblem:
    """The disk that holds the state is full."""
    return EnvironmentProblem(
        "no space left on the device",
        where=str(home()),
        fix="make room there and run it again: every table is as its last commit left it",
    )


def of_traceback(text: str) -> PenstockError:
    """The error at the end of a Python traceback, with the last place in it that is the user's.

    Args:
        text: Text in which a traceback stands, as a worker sends it.
    """
    trace = text.rpartition("Traceback (most recent call last):\n")[2]
    frames = list(_FRAME.finditer(trace))
    # After the last frame: its source, indented, and then the error, whose message may have more than one line.
    ending = trace[frames[-1].end() :].lstrip("\n") if frames else trace
    raised = re.split(r"\n\n|\n\tat |\s*SQLSTATE: ", re.sub(r"\A(?: {4}.*\n)+", "", ending))[0].strip()
    kind, _, message = raised.partition(": ")
    if kind.startswith("penstock."):
        return PenstockError.from_text(message)
    ours = [f for f in frames if "/penstock/" in f["file"]]
    users = [f for f in frames if "site-packages" not in f["file"] and f not in ours]
    if ours and not users:
        return InvalidRequestError(message.splitlines()[0])
    place = (users or frames)[-1] if frames else None
    return FunctionFailed(
        f"a Python function failed: {raised.splitlines()[0] if raised else 'no message'}",
        where=f"{place['file']}, line {place['line']}" if place else "",
        fix="mend the function, or keep from it the rows that it cannot take",
    )


def _known(kind: str, name: str, spark: SparkSession | None) -> Iterable[str]:
    """What there is of this kind, where `name` was looked for; nothing when Spark cannot be asked."""
    schema = ".".join(part for part in name.split(".")[:-1][-1:])
    place = f" IN `{schema}`" if schema else ""
    statement = {"function": "SHOW FUNCTIONS", "table": f"SHOW TABLES{place}", "schema": "SHOW SCHEMAS"}.get(kind)
    if spark is None or statement is None:
        return ()
    column = 1 if kind == "table" else 0
    try:
        return [str(row[column]).split(".")[-1] for row in spark.sql(statement).collect()]
    except Exception:  # the schema itself may not be there; the message stands without near misses
        return ()


def _signature(routine: str, spark: SparkSession | None) -> str:
    """What a persistent function takes, as a fix; nothing for a built-in one, whose words Spark has given already."""
    if spark is None or "." not in routine:
        return ""
    try:
        described = "\n".join(str(row[0]) for row in spark.sql(f"DESCRIBE FUNCTION {routine}").collect())
    except Exception:
        return ""
    found = re.search(r"^Input:(.*?)^Returns:", described, re.M | re.S)
    inputs = [" ".join(line.split()) for line in found.group(1).splitlines()] if found else []
    return f"it takes {', '.join(filter(None, inputs))}" if inputs else ""


def _plain(quoted: str) -> str:
    return quoted.replace("`", "").removeprefix("spark_catalog.")


def _stack(error: Any) -> str:
    from pyspark import SparkContext

    try:
        jvm: Any = SparkContext._jvm
        return str(getattr(jvm, "org.apache.spark.util.Utils").exceptionString(error.java_exception))
    except Exception:  # the JVM has ended since
        return str(error)


def _jvm_has_ended() -> bool:
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    if gateway is None:
        return False
    try:
        gateway.proc.wait(timeout=1)  # its pipes close a moment before it has ended
    except subprocess.TimeoutExpired:
        return False
    return True
