"""The eight places where Penstock reaches into dbt, each a wrapper around one function of dbt 1.12.

1. Jinja sees `modules.penstock`, so that macros call the compiler.
2. A loaded manifest gets the DAG edges that requests imply.
3. A connection finds a session in this process, or a server, with Penstock's and the project's functions in it.
4. What Spark raises for a statement becomes one message.
5. Python models run in that session or in that server (`submission_method: session`).
6. An interrupted build ends at once.
7. A model that is a training set writes what it was made from into its table, one that declares SQL functions of models
   makes them, and one whose rows belong to the record logs them. One that declares how it trains has trained before.
8. What a node asks of models is counted as its own, and written when dbt's command ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

_INSTALLED = "_penstock_hooks"


def install() -> None:
    """Set the hooks, once a process."""
    from dbt.context import base
    from dbt.parser.manifest import ManifestLoader
    from dbt.task.run import ModelRunner
    from dbt.task.runnable import GraphRunnableTask

    from dbt_penstock import accounting, interrupt, log

    if getattr(base, _INSTALLED, False):
        return
    setattr(base, _INSTALLED, True)
    _add_jinja_module(base)
    _add_edges(ManifestLoader)
    log.show_in_dbt()
    # The profile is loaded by now: an adapter that is not here is not in use.
    if "dbt.adapters.spark" in sys.modules:
        from dbt.adapters.spark import session
        from dbt.adapters.spark.connections import PyhiveConnectionWrapper, SparkConnectionManager
        from dbt.adapters.spark.impl import SparkAdapter

        _prepare_connections(SparkConnectionManager)
        for cursor in (session.Cursor, PyhiveConnectionWrapper):
            _tell_errors(cursor)
        _run_python_models(SparkAdapter)
        interrupt.end_quickly(GraphRunnableTask)
        accounting.count_nodes(GraphRunnableTask)
        _write_records_and_functions(ModelRunner)


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


def _prepare_connections(manager: Any) -> None:
    original = manager.open.__func__

    @wraps(original)
    def with_functions(cls: Any, connection: Any) -> Any:
        from dbt_penstock import session

        credentials = connection.credentials
        with _as_dbt_errors():
            if credentials.method == "session":
                session.ensure(credentials.server_side_parameters or {})
            elif credentials.method == "thrift":
                session.connect(credentials)
        return original(cls, connection)

    manager.open = classmethod(with_functions)


def _tell_errors(cursor: Any) -> None:
    def telling(original: Any) -> Any:
        @wraps(original)
        def with_message(self: Any, *args: Any, **kwargs: Any) -> Any:
            with _as_dbt_errors():
                return original(self, *args, **kwargs)

        return with_message

    cursor.execute = telling(cursor.execute)
    cursor.fetchall = telling(cursor.fetchall)


@contextmanager
def _as_dbt_errors() -> Iterator[None]:
    """What Penstock or Spark raises within becomes dbt's error with one message."""
    from dbt_common.exceptions import DbtRuntimeError

    from dbt_penstock import interrupt
    from penstock.engines.spark import running_session
    from penstock.engines.told import told, told_by_server

    if interrupt.is_interrupted():
        raise DbtRuntimeError("the build was interrupted")
    try:
        yield
    except Exception as error:
        # dbt-spark has made its own error of Spark's, with the whole of Spark's text.
        cause = error.__cause__ if isinstance(error, DbtRuntimeError) and error.__cause__ else error
        shown = told(cause, None if interrupt.is_interrupted() else running_session()) or told_by_server(str(cause))
        if shown is None:
            raise
        raise DbtRuntimeError(str(shown)) from error


def _run_python_models(adapter: Any) -> None:
    from dbt_penstock.python_models import SessionJobHelper

    helpers = adapter.python_submission_helpers.fget
    adapter.python_submission_helpers = property(lambda self: {**helpers(self), "session": SessionJobHelper})


def _write_records_and_functions(runner: Any) -> None:
    original = runner.execute

    @wraps(original)
    def with_record(self: Any, model: Any, manifest: Any) -> Any:
        from dbt_penstock import functions, logged, records, trained

        recorded = records.written(model, manifest, self.adapter)
        with logged.logged(model), functions.synced(model), recorded, trained.trained(model, manifest):
            return original(self, model, manifest)

    runner.execute = with_record
