"""Ctrl-C in a build: what runs is stopped, nothing more starts, and the process ends with one message.

dbt-spark cannot cancel a statement, so that dbt would wait for what runs to end by itself, and then print a traceback.
A table is whole either way: Delta shows a write when it is committed, and not before.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import wraps
from typing import Any

# How long a thread may take to see that Spark is gone. One that is inside a library's code (a fit) sees it later: the
# process ends without it.
_SECONDS_TO_END = 10

_stopped = threading.Event()


def is_interrupted() -> bool:
    """Whether this build was interrupted, and no statement may start any more."""
    return _stopped.is_set()


def end_quickly(task: Any) -> None:
    """Let an interrupt of dbt's task class end its build.

    Args:
        task: dbt's class `GraphRunnableTask`.
    """
    run, cancel = task.execute_with_hooks, task._cancel_connections

    @wraps(run)
    def with_message(self: Any, *args: Any, **kwargs: Any) -> Any:
        from dbt_common.exceptions import DbtRuntimeError

        _stopped.clear()
        try:
            return run(self, *args, **kwargs)
        except KeyboardInterrupt:
            _stop_spark()
            raise DbtRuntimeError(
                "the build was interrupted\n"
                "  where: the nodes above that are not OK were not built\n"
                "  fix: run it again: every table is as its last commit left it"
            ) from None

    @wraps(cancel)
    def with_spark_stopped(self: Any, pool: Any) -> Any:
        if not isinstance(sys.exception(), KeyboardInterrupt):  # --fail-fast: what runs may end, hooks come after it
            return cancel(self, pool)
        _stop_spark()
        until = time.monotonic() + _SECONDS_TO_END
        workers = list(pool._pool)
        pool.join = lambda: [worker.join(max(0, until - time.monotonic())) for worker in workers]
        return cancel(self, pool)

    task.execute_with_hooks = with_message
    task._cancel_connections = with_spark_stopped


def _stop_spark() -> None:
    """Stop Spark with all that it runs; the flag keeps other threads from starting another one."""
    from penstock.engines.spark import running_session

    if not _stopped.is_set():
        _stopped.set()
        spark = running_session()
        if spark is not None:
            spark.stop()
