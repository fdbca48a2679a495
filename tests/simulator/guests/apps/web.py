# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server of a guest: says who answered, stops gracefully.

`GET /` answers JSON {name, boot_id} after --delay-ms; `GET /healthz` 200, or 503 while the file --maintenance exists;
`GET /slow?seconds=n` sends a response that takes n seconds. Every answer names its server in X-Served-By.
"""

from __future__ import annotations

import argparse
import json
import socket
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from daemon import boot_id, serve_until_term

SLOW_STEP_SECONDS = 0.1
SLOW_MAX_SECONDS = 120.0


class Server(ThreadingHTTPServer):
    """Knows its open connections, so that it can end them without losing an answer."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.identity = {"name": options.name, "boot_id": boot_id()}
        self.stopping = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((options.address, options.port), Handler)

    def server_bind(self) -> None:
        """Bind only: HTTPServer would ask a name server for the address's name."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request, client_address) -> None:  # noqa: ANN001 - the base class has no types
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:  # noqa: ANN001
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:  # noqa: ANN001 - a peer that went away is no news
        pass

    def stop_gracefully(self) -> None:
        """Take no new connection, answer every request that has arrived, then return."""
        self.stopping = True
        self.shutdown()
        self.socket.close()
        with self._lock:
            for connection in self._open:
                # Only the reading half: what is buffered is still answered, and an idle connection reads end of file.
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    pass
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """The three paths."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: Server

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        if url.path == "/":
            time.sleep(self.server.options.delay_ms / 1000)
            self._answer(200, json.dumps(self.server.identity).encode() + b"\n")
        elif url.path == "/healthz":
            healthy = not self.server.options.maintenance.exists()
            self._answer(200 if healthy else 503, b"ok\n" if healthy else b"maintenance\n")
        elif url.path == "/slow":
            self._slow(parse_qs(url.query))
        else:
            self._answer(404, b"not found\n")

    def _slow(self, query: dict[str, list[str]]) -> None:
        try:
            seconds = min(float(query.get("seconds", ["1"])[0]), SLOW_MAX_SECONDS)
        except ValueError:
            self._answer(400, b"seconds is a number\n")
            return
        steps = max(1, round(seconds / SLOW_STEP_SECONDS))
        self._head(200, steps)
        for dummy in range(steps):
            time.sleep(seconds / steps)
            self.wfile.write(b".")

    def _answer(self, status: int, body: bytes) -> None:
        self._head(status, len(body))
        self.wfile.write(body)

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if self.path != "/" else "application/json")
        self.send_header("Content-Length", str(length))
        self.send_header("X-Served-By", self.server.identity["name"])
        if self.server.stopping:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing: the load would fill the log."""


def main() -> None:
    """Bind, become a daemon, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--maintenance", type=Path, default=Path("/srv/web/maintenance"))
    parser.add_argument("--pid-file", type=Path, default=Path("/run/web.pid"))
    options = parser.parse_args()
    server = Server(options)
    serve_until_term(options.pid_file, lambda: server.serve_forever(0.2), server.stop_gracefully)


if __name__ == "__main__":
    main()
