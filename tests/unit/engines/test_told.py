"""What a Thrift server and a Python worker send, as one message; Spark's own errors have tests/errors."""

from __future__ import annotations

import pytest

from penstock.engines.told import of_traceback, told, told_by_server

HEAD = "Database Error\n  org.apache.hive.service.cli.HiveSQLException: Error running query: "
FRAMES = "\n  \tat org.apache.spark.A.b(A.scala:1)\n  \tat org.apache.spark.C.d(C.scala:2)\n"

SENT = {
    "refused": (
        "[X_NOT_FOUND] org.apache.spark.sql.AnalysisException: [X_NOT_FOUND] The x `y` cannot be found. Look again.\n"
        "  To tolerate it use IF EXISTS. SQLSTATE: 42P01; line 1 pos 14;\n  'Project [*]\n  +- 'UnresolvedRelation",
        "The x `y` cannot be found. Look again. To tolerate it use IF EXISTS\n"
        "  where: the SQL that ran, line 1, column 15 (X_NOT_FOUND)",
    ),
    "a message on the next line": (
        "[PARSE_SYNTAX_ERROR] org.apache.spark.sql.catalyst.parser.ParseException: \n"
        "  [PARSE_SYNTAX_ERROR] Syntax error at or near end of input. SQLSTATE: 42601 (line 1, pos 9)\n\n"
        "  == SQL ==\n  x",
        "Syntax error at or near end of input\n  where: the SQL that ran, line 1, column 10 (PARSE_SYNTAX_ERROR)",
    ),
    "the cause of a failed task": (
        "[TASK_WRITE_FAILED] org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows.\n"
        "  \tat a\n  Caused by: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows.\n"
        "  \tat b\n  Caused by: org.apache.spark.SparkRuntimeException: [RAISED] no more SQLSTATE: P0001",
        "no more\n  where: the SQL that ran (RAISED)",
    ),
    "ours, from predict()": (
        "[USER_RAISED_EXCEPTION] org.apache.spark.SparkRuntimeException: [USER_RAISED_EXCEPTION] unknown model 'a'\n"
        "    where: predict('a', 1)\n    did you mean: b, c\n    fix: train it first SQLSTATE: P0001",
        "unknown model 'a'\n  where: predict('a', 1)\n  did you mean: b, c\n  fix: train it first",
    ),
    "a Python function": (
        "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n"
        '    File "udfs/f.py", line 6, in main\n      raise ValueError("over six")\n  ValueError: over six',
        "a Python function failed: ValueError: over six\n  where: udfs/f.py, line 6\n"
        "  fix: mend the function, or keep from it the rows that it cannot take",
    ),
}


@pytest.mark.parametrize("sent", SENT)
def test_what_a_server_sends(sent: str) -> None:
    text, expected = SENT[sent]
    assert str(told_by_server(HEAD + text + FRAMES)) == expected


def test_a_text_without_java_is_left_alone() -> None:
    assert told_by_server("Compilation Error in model x") is None


WORKER = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "{ours}/penstock/scoring/dispatchers.py", line 41, in score
    names, predictor = load(source)
                       ^^^^^^^^^^^^
{frames}{error}
 SQLSTATE: 38000
"""
LIBRARY = '  File "/x/site-packages/numpy/core.py", line 2, in dot\n    raise\n'


@pytest.mark.parametrize(
    ("frames", "error", "expected"),
    [
        (LIBRARY, "ValueError: the model needs x", "the model needs x"),
        (
            '  File "udfs/f.py", line 3, in main\n    return g()\n' + LIBRARY,
            "ValueError: shapes\nof two",
            "a Python function failed: ValueError: shapes\n  where: udfs/f.py, line 3\n"
            "  fix: mend the function, or keep from it the rows that it cannot take",
        ),
        (
            "",
            "penstock.errors.PenstockError: no signature\n  where: /m\n  did you mean: a, b\n  fix: log it",
            "no signature\n  where: /m\n  did you mean: a, b\n  fix: log it",
        ),
    ],
)
def test_a_workers_traceback(frames: str, error: str, expected: str) -> None:
    assert str(of_traceback(WORKER.format(ours="/lib", frames=frames, error=error))) == expected


def test_what_the_system_refuses_is_no_bug_and_what_python_raises_is() -> None:
    assert str(told(OSError(28, "No space left on device", "/full/x"))) == (
        "no space left on device\n  where: /full/x\n  fix: make room there"
    )
    assert told(FileNotFoundError(2, "No such file", "/x")) is None
    assert told(ZeroDivisionError()) is None
