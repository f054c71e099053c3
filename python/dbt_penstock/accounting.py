"""Whose scores a build's are: each node's own; they are written when dbt's command ends."""

from __future__ import annotations

from functools import wraps
from typing import Any


def count_nodes(task: Any) -> None:
    """Let what the nodes of dbt's task class ask of models be counted by node.

    Args:
        task: dbt's class `GraphRunnableTask`.
    """
    call, run = task.call_runner, task.execute_with_hooks

    @wraps(call)
    def with_node(self: Any, runner: Any, *args: Any, **kwargs: Any) -> Any:
        from penstock.engines.spark import running_session
        from penstock.scoring.usage import NODE, marked

        spark = running_session()
        if spark is None:  # it is in a server, which reads the node from dbt's comment
            return call(self, runner, *args, **kwargs)
        with marked(spark, NODE, runner.node.unique_id):
            return call(self, runner, *args, **kwargs)

    @wraps(run)
    def with_writing(self: Any, *args: Any, **kwargs: Any) -> Any:
        from penstock.engines.usage import ledger

        try:
            return run(self, *args, **kwargs)
        finally:
            ledger().write_quietly()

    task.call_runner = with_node
    task.execute_with_hooks = with_writing
