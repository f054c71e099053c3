"""A webhook: a real server of HTTP in this process, which keeps what it is sent."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "secret-part-of-the-path"


class Webhook:
    """A server that answers with these codes, one after another, and then with 200."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.got: list[Any] = []
        self.blocked = threading.Event()
        self.blocked.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                server.blocked.wait(20)
                self.send_response(server.codes.pop(0) if server.codes else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{SECRET}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it; nobody answers any more."""
        self.blocked.set()
        self.http.shutdown()
        self.http.server_close()
