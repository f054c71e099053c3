"""Code of ours that runs where the tables are: in this process, or in the server that the target connects to."""

from __future__ import annotations

from typing import Any

from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError


def run(code: str, node: Any) -> None:
    """Run Python that finds the session as `spark`, after a node.

    Args:
        code: The Python.
        node: dbt's.

    Raises:
        DbtRuntimeError: with the message of the user's error.
    """
    from dbt_penstock import session
    from penstock.engines.python_models import run_model
    from penstock.engines.spark import running_session

    server = session.server()
    try:
        if server is not None:
            server.run_python_model(code, name=node.name, file=node.original_file_path, settings={})
        else:
            run_model(running_session(), code, name=node.name, file=node.original_file_path)
    except PenstockError as error:
        raise DbtRuntimeError(str(error)) from error
