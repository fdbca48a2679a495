# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata service of each VM: plain HTTP on the VM's private address, on the port that the fleet file names."""

from __future__ import annotations

import json
import selectors
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..fleet.keys import IMDS_VERSIONS
from ..fleet.model import Vm
from ..wire.messages import Request, Response
from .events import EventBook

_EVENTS = "/metadata/scheduledevents"
_NAME = "/metadata/instance/compute/name"
_IDLE_SECONDS = 10


class Imds:
    """The listeners of all VMs whose private address is a loopback one (127.0.0.0/8); no others could be bound."""

    def __init__(self, book: Callable[[], EventBook]) -> None:
        self._book = book
        self._servers: list[_Server] = []
        self._thread: threading.Thread | None = None
        self._wake, self._woken = socket.socketpair()

    def start(self) -> None:
        """Listen, if the fleet file asks for it. Raises OSError when an address is taken."""
        book = self._book()
        if book.settings is None:
            return
        for vm in book.fleet.vms.values():
            if vm.state.private.startswith("127."):
                self._servers.append(_Server(vm.state.private, book.settings["port"], self._book, vm.key))
        self._thread = threading.Thread(target=self._serve, daemon=True, name="imds")
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._thread:
            self._wake.close()
            self._thread.join()
        for server in self._servers:
            server.server_close()

    def _serve(self) -> None:
        """Accept for all of them in one thread, until the other end of the pair is closed."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for server in self._servers:
                selector.register(server, selectors.EVENT_READ, server)
            while True:
                for key, dummy in selector.select():
                    if key.data is None:
                        return
                    key.data.handle_request()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    timeout = 0

    def __init__(self, address: str, port: int, book: Callable[[], EventBook], key: str) -> None:
        self.book, self.key = book, key
        super().__init__((address, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server_version = "IMDS/150.870.65.1769"
    sys_version = ""
    timeout = _IDLE_SECONDS
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request.parse(self.command, self.path, dict(self.headers.items()), body)
        book = self.server.book()
        with book.engine.lock:
            vm = book.fleet.vms.get(self.server.key)
            if vm is None or not book.engine.is_up(vm):
                return  # a VM that is down asks nothing; whoever asks in its place gets no answer
            response = answer(book, vm, request)
        payload = response.content()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


def answer(book: EventBook, vm: Vm, request: Request) -> Response:
    """Answer a VM's request. The caller holds the lock."""
    if request.headers.get("metadata", "").lower() != "true":
        return _bad("Bad request. Required metadata header not specified")
    if "x-forwarded-for" in request.headers:
        return _bad("Bad request. Requests that were forwarded are not answered")
    path = request.path.rstrip("/").lower()
    if path == _NAME:
        return Response(200, vm.name.encode(), {"Content-Type": "text/plain"})
    if path != _EVENTS:
        return Response(404, {"error": "Not found"}, {"Content-Type": "application/json"})
    version = request.query.get("api-version")
    offered = (book.settings or {}).get("versions", list(IMDS_VERSIONS))
    if version not in offered:
        return _bad("Bad request. api-version is invalid or was not specified in the request.", sorted(offered, reverse=True))
    if request.method == "GET":
        document = book.document(vm, version)
        book.listen(vm)
        return Response(200, document, {"Content-Type": "application/json; charset=utf-8"})
    if request.method != "POST":
        return Response(405, {"error": "Method not allowed"}, {"Content-Type": "application/json"})
    book.listen(vm)
    ids = _ids(request.body)
    if ids is None or not book.approve(vm, ids):
        return _bad("Bad request. StartRequests is missing, or names an unknown event")
    return Response(200, None)


def _ids(body: bytes) -> list[str] | None:
    try:
        return [str(item["EventId"]) for item in json.loads(body)["StartRequests"]]
    except (ValueError, KeyError, TypeError):
        return None


def _bad(words: str, versions: list[str] | None = None) -> Response:
    body: dict[str, Any] = {"error": words}
    if versions is not None:
        body["newest-versions"] = versions
    return Response(400, body, {"Content-Type": "application/json"})
