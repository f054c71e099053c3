"""The other end of `jobs`: what dbt sends to the server that it builds through. It starts no JVM."""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from penstock.errors import EnvironmentProblem, PenstockError
from penstock.servers.jobs import address_file


class JobFailed(PenstockError):
    """A job that failed in the server, with the server's message."""


@dataclass(frozen=True)
class Server:
    """Where a target of method thrift connects to.

    Attributes:
        host: The server's name or address.
        port: Its Thrift port.
        user: Who builds.
        password: Their password; None for a server that asks nobody, on this machine and by this user.
        tls: Whether the server speaks TLS.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: bool = False


class Client:
    """Jobs of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        # Without the machine's HTTP proxy, which is for other places than a cluster's own.
        handlers: list[Any] = [urllib.request.ProxyHandler({})]
        if server.tls:
            authorities = os.environ.get("PENSTOCK_SERVER_CA")
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authorities)))
        self._http = urllib.request.build_opener(*handlers)

    def run_python_model(self, code: str, *, name: str, file: str, settings: Mapping[str, str], node: str = "") -> None:
        """Run a compiled Python model, whose scores the node asks for; errors as for `_ask`."""
        job = {"code": code, "name": name, "file": file, "settings": dict(settings), "node": node}
        self._ask("/python-model", job)

    def promote_functions(self, functions: Sequence[Mapping[str, Any]]) -> None:
        """Let sessions that are opened from now on call these Python functions; errors as for `_ask`."""
        wanted = ("name", "language", "raw_code", "original_file_path", "config", "returns")
        nodes = [{key: node.get(key) for key in wanted} for node in functions if node.get("language") == "python"]
        if nodes:
            self._ask("/functions", {"functions": nodes})

    def _ask(self, path: str, job: Mapping[str, Any]) -> Any:
        """Send a job and wait for it.

        Raises:
            EnvironmentProblem: when no `penstock serve` is there, or it does not let this user in.
            JobFailed: when the job raised an error.
        """
        try:
            url, authorization = self._address()
            request = urllib.request.Request(
                url + path,
                data=json.dumps(job).encode(),
                headers={"Authorization": authorization, "Content-Type": "application/json"},
            )
            # No time limit: a training node may take hours.
            with self._http.open(request) as answer:
                outcome = json.load(answer)
        except OSError as error:
            raise self._not_there(error) from None
        if "error" in outcome:
            raise JobFailed("\n".join(part for part in (outcome["error"], outcome.get("traceback")) if part))
        return outcome["result"]

    def _address(self) -> tuple[str, str]:
        """The URL before a job's path, and what lets us in."""
        server = self._server
        if server.password is None:
            address = json.loads(address_file(server.port).read_text())
            return address["url"], f"Bearer {address['token']}"
        login = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        host = f"[{server.host}]" if ":" in server.host else server.host  # an IPv6 address
        return f"http{'s' if server.tls else ''}://{host}:{server.port + 1}", f"Basic {login}"

    def _not_there(self, error: OSError) -> EnvironmentProblem:
        server = self._server
        if isinstance(error, urllib.error.HTTPError) and error.code == HTTPStatus.FORBIDDEN:
            return EnvironmentProblem(
                f"the server does not let user '{server.user}' in",
                where=f"{server.host}:{server.port + 1}",
                fix="PENSTOCK_SERVER_USER and PENSTOCK_SERVER_PASSWORD as the server's users file has them",
            )
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            return EnvironmentProblem(
                f"the server's certificate is not to be trusted: {error}",
                where=f"{server.host}:{server.port + 1}",
                fix="PENSTOCK_SERVER_CA=<PEM file of who signed it>, and the host's name as the certificate has it",
            )
        if server.password is None:
            return EnvironmentProblem(
                f"no penstock serve runs Python for port {server.port}: {error}",
                where=str(address_file(server.port)),
                fix=f"penstock serve --port {server.port}, by the same user and with the same PENSTOCK_HOME as here;"
                " PENSTOCK_SERVER_PASSWORD when the server has users",
            )
        return EnvironmentProblem(
            f"no penstock serve takes Python there: {error}",
            where=f"{server.host}:{server.port + 1}",
            fix=f"penstock serve --port {server.port} --users …, and let the port after it through",
        )
