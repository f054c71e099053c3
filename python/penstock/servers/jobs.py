"""What a dbt without a Spark of its own asks of the server: run a model, know functions.

It is HTTP on the loopback interface only. Whoever can post here runs code as the server does, so each request carries a
token that stands in a file which only the server's user can read (see `address_file`).
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
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
from penstock.project import promote_functions, run_python_model

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Job = Callable[[Mapping[str, Any]], Any]


def address_file(port: int) -> Path:
    """Where the server on this Thrift port tells its own user the address and the token of its jobs."""
    return home() / "servers" / f"{port}.json"


@contextmanager
def serve_jobs(spark: SparkSession, port: int) -> Iterator[None]:
    """Answer jobs within; `port` is that of the Thrift server beside which they run."""
    token = secrets.token_urlsafe(32)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, jobs=_jobs(spark), token=token))
    server.daemon_threads = True
    file = address_file(port)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # of a server that was killed
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump({"url": f"http://127.0.0.1:{server.server_port}", "token": token}, out)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()


def _jobs(spark: SparkSession) -> Mapping[str, Job]:
    return {
        "/python-model": lambda job: run_python_model(spark, **job),
        "/functions": lambda job: promote_functions(spark, job["functions"]),
    }


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, jobs: Mapping[str, Job], token: str) -> None:
        self._jobs = jobs
        self._token = token
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """Run the job that the path names, with the JSON body as its arguments."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            self._answer(HTTPStatus.FORBIDDEN, {})
        elif self.path not in self._jobs:
            self._answer(HTTPStatus.NOT_FOUND, {})
        else:
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
