"""dbt in this process, with its Spark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from penstock.errors import PenstockError

_TOLD = 5  # nodes that failed, by their names


class BuildFailed(PenstockError):
    """dbt ended with errors."""


def run_dbt(
    *arguments: str,
    log_level: str = "error",
    tests_may_fail: bool = False,
    on_node: Callable[[Any], None] = lambda node: None,
    on_start: Callable[[Any], None] = lambda node: None,
) -> Any:
    """Run a command of dbt.

    Args:
        arguments: After `dbt`.
        log_level: What dbt prints: `error`, or `none`.
        tests_may_fail: Whether a test that fails is an answer, and no error.
        on_node: Called with dbt's node information whenever a node is finished.
        on_start: Called with it whenever a node begins.

    Returns:
        dbt's results.

    Raises:
        BuildFailed: when a node fails, or dbt refuses the command.
    """
    from dbt.cli.main import dbtRunner

    def heard(event: Any) -> None:
        if event.info.name == "NodeFinished":
            on_node(event.data)
        elif event.info.name == "NodeStart":
            on_start(event.data)

    done = dbtRunner(callbacks=[heard]).invoke([*arguments, "--log-level", log_level, "--no-use-colors"])
    if not done.success and not (tests_may_fail and done.exception is None):
        command = f"dbt {arguments[0]}"
        told = done.exception or _failed(getattr(done.result, "results", ()))
        raise BuildFailed(f"{command} failed: {told or 'see the errors above'}", where="logs/dbt.log", fix=command)
    return done.result


def _failed(results: Sequence[Any]) -> str:
    failed = [each for each in results if str(each.status) in ("error", "fail")]
    return "; ".join(f"{each.node.name}: {' '.join(str(each.message).split())}" for each in failed[:_TOLD])
