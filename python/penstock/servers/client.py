"""The other end of `jobs`: what dbt sends to the server that it builds through. It starts no JVM."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.errors import EnvironmentProblem, PenstockError
from penstock.servers.jobs import address_file


class JobFailed(PenstockError):
    """A job that failed in the server, with the server's message."""


class Client:
    """Jobs of the server whose Thrift port is `port`.

    Args:
        port: The port of the profile's target.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        # Without the machine's HTTP proxy: the server is on the loopback interface.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def run_python_model(self, code: str, *, name: str, file: str, settings: Mapping[str, str]) -> None:
        """Run a compiled Python model; errors as for `_ask`."""
        self._ask("/python-model", {"code": code, "name": name, "file": file, "settings": dict(settings)})

    def promote_functions(self, functions: Sequence[Mapping[str, Any]]) -> None:
        """Let sessions that are opened from now on call these Python functions; errors as for `_ask`."""
        wanted = ("name", "language", "raw_code", "original_file_path", "config", "returns")
        nodes = [{key: node.get(key) for key in wanted} for node in functions if node.get("language") == "python"]
        if nodes:
            self._ask("/functions", {"functions": nodes})

    def _ask(self, path: str, job: Mapping[str, Any]) -> Any:
        """Send a job and wait for it.

        Raises:
            EnvironmentProblem: when no `penstock serve` of this user and PENSTOCK_HOME is behind the port.
            JobFailed: when the job raised an error.
        """
        file = address_file(self._port)
        try:
            address = json.loads(file.read_text())
            request = urllib.request.Request(
                address["url"] + path,
                data=json.dumps(job).encode(),
                headers={"Authorization": f"Bearer {address['token']}", "Content-Type": "application/json"},
            )
            # No time limit: a training node may take hours.
            with self._http.open(request) as answer:
                outcome = json.load(answer)
        except (OSError, urllib.error.URLError) as error:
            raise EnvironmentProblem(
                f"no penstock serve runs Python for port {self._port}: {error}",
                where=str(file),
                fix=f"penstock serve --port {self._port}, by the same user and with the same PENSTOCK_HOME as here",
            ) from None
        if "error" in outcome:
            raise JobFailed("\n".join(part for part in (outcome["error"], outcome.get("traceback")) if part))
        return outcome["result"]
