# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS listener that is not Resource Manager: it remembers what it was sent, and answers as a test says."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = t.Callable[[BaseHTTPRequestHandler], None]


class Listener(ThreadingHTTPServer):
    """``https://127.0.0.1:PORT`` with a certificate the clients trust. ``answer`` writes the whole answer; ``seen`` has every request."""

    daemon_threads = True

    def __init__(self, certificate: Path, answer: Answer | None = None) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self._connections: list[socket.socket] = []
        self.answer = answer or reply(200, {"status": "Succeeded", "value": [{"id": "from another host"}]})
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def authorized(self) -> list[str]:
        """Paths of the requests that carried a token."""
        return [path for dummy, path, headers in self.seen if "authorization" in headers]

    def get_request(self) -> tuple[socket.socket, t.Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Clients that hang up are expected."""

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()
        for connection in self._connections:  # clients keep them open
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        self.server.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        with contextlib.suppress(OSError):
            self.server.answer(self)

    do_GET = do_POST = _serve

    def log_message(self, format: str, *args: t.Any) -> None:
        """Nothing on the terminal."""


def reply(status: int, body: t.Any = None, **headers: str) -> Answer:
    """An answer with a JSON (or text) body."""
    payload = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(payload))}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(payload)

    return write
