"""What a dbt without a Spark of its own asks of the server: run a Python model, know Python functions.

It is HTTP. Whoever can post here runs code as the server does, as whoever may send it SQL can. A server with users
takes jobs on the port after its Thrift port, with TLS if it has it, from its users. One without listens on the loopback
interface only, for who can read the token in its user's file (see `address_file`).
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import PenstockError
from penstock.home import home
from penstock.servers.users import is_right
from penstock.sessions import promote_functions, run_python_model

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from penstock.servers.listen import Listen

Job = Callable[[Mapping[str, Any]], Any]
# Whether the value of a request's Authorization header lets it in.
Allows = Callable[[str], bool]


def address_file(port: int) -> Path:
    """Where a server without users tells its own user the address and the token of its jobs, by its Thrift port."""
    return home() / "servers" / f"{port}.json"


@contextmanager
def serve_jobs(spark: SparkSession, listen: Listen) -> Iterator[None]:
    """Answer jobs within."""
    with _for_users(spark, listen) if listen.users else _for_own_user(spark, listen.port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()


@contextmanager
def _for_users(spark: SparkSession, listen: Listen) -> Iterator[ThreadingHTTPServer]:
    users = listen.users
    assert users

    def allows(given: str) -> bool:
        scheme, _, encoded = given.partition(" ")
        try:
            name, colon, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return False
        return scheme == "Basic" and bool(colon) and is_right(users, name, password)

    server = _HttpServer(listen.host, listen.port + 1, spark, allows)
    if listen.certificate:
        # The handshake is left to the request's own thread, so that a silent client holds up nobody.
        server.socket = listen.tls().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    yield server


@contextmanager
def _for_own_user(spark: SparkSession, port: int) -> Iterator[ThreadingHTTPServer]:
    token = secrets.token_urlsafe(32)
    expected = f"Bearer {token}".encode()
    server = _HttpServer("127.0.0.1", 0, spark, lambda given: hmac.compare_digest(given.encode(), expected))
    file = address_file(port)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # of a server that was killed
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump({"url": f"http://127.0.0.1:{server.server_port}", "token": token}, out)
    try:
        yield server
    finally:
        file.unlink(missing_ok=True)


class _HttpServer(ThreadingHTTPServer):
    """A thread a request, over IPv4 or IPv6 as the host's name or address asks."""

    def __init__(self, host: str, port: int, spark: SparkSession, allows: Allows) -> None:
        self.address_family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        super().__init__((str(address[0]), int(address[1])), partial(_Handler, jobs=_jobs(spark), allows=allows))


def _jobs(spark: SparkSession) -> Mapping[str, Job]:
    return {
        "/python-model": lambda job: run_python_model(spark, **job),
        "/functions": lambda job: promote_functions(spark, job["functions"]),
    }


class _Handler(BaseHTTPRequestHandler):
    timeout = 60  # seconds that a client may be silent while it sends

    def __init__(self, *arguments: Any, jobs: Mapping[str, Job], allows: Allows) -> None:
        self._jobs = jobs
        self._allows = allows
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """Run the job that the path names, with the JSON body as its arguments."""
        # Before the body is read: who may not come in sends nothing.
        if not self._allows(self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.FORBIDDEN, {})
        elif self.path not in self._jobs:
            self._answer(HTTPStatus.NOT_FOUND, {})
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(HTTPStatus.OK, _outcome(self._jobs[self.path], json.loads(body)))

    def _answer(self, status: HTTPStatus, content: Mapping[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the server's output is for its errors."""


def _outcome(job: Job, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The job's result, or its error as text; a user's error without the traceback, as on the command line."""
    try:
        return {"result": job(arguments)}
    except PenstockError as error:
        return {"error": str(error)}
    except BaseException as error:  # also SystemExit from a model's code: the answer must reach dbt
        return {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
