"""The Spark that dbt finds: a session of this process, or a server, with Penstock's and the project's functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.servers.client import Client

# The functions of the project that dbt loaded last; the session is made later, at dbt's first statement.
_functions: list[Mapping[str, Any]] = []


def remember_functions(functions: list[Mapping[str, Any]]) -> None:
    """Keep the project's function nodes until a session is opened."""
    _functions[:] = functions
    _server.clear()  # the next connection tells the server of them


def ensure(settings: Mapping[str, str]) -> None:
    """Open the session of this process, or add what is missing to the one that is open."""
    from penstock.sessions import start_spark

    start_spark(settings, _functions)


_server: list[Client] = []


def connect(credentials: Any) -> None:
    """Let the server of a target know the project's Python functions, before a session opens there.

    Raises:
        EnvironmentProblem: when there are such functions, and no `penstock serve` that lets this user in is there.
        JobFailed: when a Python function's file is wrong.
    """
    from penstock.servers.client import Client, Server

    if not _server:
        place = Server(
            credentials.host, credentials.port, credentials.user, credentials.password or None, credentials.use_ssl
        )
        client = Client(place)
        client.promote_functions(_functions)
        _server.append(client)


def server() -> Client | None:
    """The server that this dbt builds through; None when Spark is in this process or nothing is connected yet."""
    return _server[0] if _server else None
