"""The five places where Penstock reaches into dbt, each a wrapper around one function of dbt 1.12.

1. Jinja sees `modules.penstock`, so that macros call the compiler.
2. A loaded manifest gets the DAG edges that requests imply.
3. dbt-spark's in-process connection finds a session with Penstock's functions in it.
4. A Thrift connection finds a server with the project's functions in it.
5. Python models run in that session or in that server (`submission_method: session`).
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

_INSTALLED = "_penstock_hooks"


def install() -> None:
    """Set the hooks, once a process."""
    from dbt.context import base
    from dbt.parser.manifest import ManifestLoader

    if getattr(base, _INSTALLED, False):
        return
    setattr(base, _INSTALLED, True)
    _add_jinja_module(base)
    _add_edges(ManifestLoader)
    # The profile is loaded by now: an adapter that is not here is not in use.
    if "dbt.adapters.spark" in sys.modules:
        from dbt.adapters.spark import session
        from dbt.adapters.spark.connections import SparkConnectionManager
        from dbt.adapters.spark.impl import SparkAdapter

        _open_our_session(session.Connection)
        _tell_the_server(SparkConnectionManager)
        _run_python_models(SparkAdapter)


def _add_jinja_module(base: Any) -> None:
    original = base.get_context_modules

    @wraps(original)
    def with_penstock() -> dict[str, Any]:
        from dbt_penstock import jinja

        return {**original(), "penstock": jinja.functions()}

    base.get_context_modules = with_penstock


def _add_edges(loader: Any) -> None:
    original = loader.get_full_manifest.__func__

    @wraps(original)
    def with_edges(cls: Any, *args: Any, **kwargs: Any) -> Any:
        from dbt_penstock import edges

        manifest = original(cls, *args, **kwargs)
        edges.add_edges(manifest)
        return manifest

    loader.get_full_manifest = classmethod(with_edges)


def _open_our_session(connection: Any) -> None:
    original = connection.__init__

    @wraps(original)
    def with_session(self: Any, *, server_side_parameters: dict[str, str] | None = None) -> None:
        from dbt_penstock import session

        session.ensure(server_side_parameters or {})
        original(self, server_side_parameters=server_side_parameters)

    connection.__init__ = with_session


def _tell_the_server(manager: Any) -> None:
    original = manager.open.__func__

    @wraps(original)
    def with_functions(cls: Any, connection: Any) -> Any:
        from dbt_common.exceptions import DbtRuntimeError

        from dbt_penstock import session
        from penstock.errors import PenstockError

        if connection.credentials.method == "thrift":
            try:
                session.connect(connection.credentials)
            except PenstockError as error:
                raise DbtRuntimeError(str(error)) from error
        return original(cls, connection)

    manager.open = classmethod(with_functions)


def _run_python_models(adapter: Any) -> None:
    from dbt_penstock.python_models import SessionJobHelper

    helpers = adapter.python_submission_helpers.fget
    adapter.python_submission_helpers = property(lambda self: {**helpers(self), "session": SessionJobHelper})
