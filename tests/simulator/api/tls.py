# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket side: TLS, HTTP/1.1 with keep-alive, one thread per connection; faults of the line act here."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from ..wire.messages import ArmError, Request, Response
from .control import Control
from .faults import Dropped, Fault
from .world import World

_HANDSHAKE_SECONDS = 10
_IDLE_SECONDS = 120


class Running(Protocol):
    """What a server needs of the Simulator: who answers, and where every answer is followed by saving."""

    world: World
    control: Control

    def save(self) -> None:
        """Write the state if it changed; the caller holds the lock."""


class TlsServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1; the TLS handshake is done in the connection's own thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, certificate: Path, port: int, simulator: Callable[[], Running]) -> None:
        self.simulator = simulator
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="accept"
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.server_address[1]

    def start(self) -> None:
        """Accept connections in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, and end the open connections."""
        ending = threading.Thread(target=self.shutdown, daemon=True)
        ending.start()
        # The accept loop looks up when somebody knocks, else only at its next interval.
        with contextlib.suppress(OSError):
            socket.create_connection(self.server_address, timeout=1).close()
        ending.join()
        self.server_close()
        for connection in list(self._open):
            _cut(connection)

    def process_request_thread(self, request: socket.socket, client_address: Any) -> None:
        """Do the handshake, then serve the connection."""
        request.settimeout(_HANDSHAKE_SECONDS)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            secured = self._context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            _cut(request)
            return
        self._open.add(secured)
        try:
            super().process_request_thread(secured, client_address)
        finally:
            self._open.discard(secured)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away; show everything else."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class Handler(BaseHTTPRequestHandler):
    """Turns a request on the wire into a Request, and a Response into bytes."""

    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    timeout = _IDLE_SECONDS
    wbufsize = -1
    server: TlsServer

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = dict(self.headers.items())
        request = Request.parse(self.command, self.path, headers, body)
        simulator = self.server.simulator()
        if request.path.startswith("/_sim"):
            self._send(simulator.control.handle(request), None)
            with simulator.world.lock:
                simulator.save()
            return
        fault = simulator.world.faults.meet(request)
        wait = simulator.world.fleet.latency_ms / 1000 + (fault.spec.get("delay", 0) if fault else 0)
        if wait:
            time.sleep(wait)
        try:
            response = simulator.world.handle(request, fault)
        except Dropped:
            self.close_connection = True
            _cut(self.connection)
            return
        except Exception:  # noqa: BLE001 - a mistake of the simulator: say so, to the client and on the terminal
            traceback.print_exc()
            response = ArmError(500, "SimulatorError", traceback.format_exc(limit=-1)).response()
        finally:
            with simulator.world.lock:
                simulator.save()
        self._send(response, fault)

    def finish(self) -> None:
        """End the connection; one that was cut has nothing left to flush."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _send(self, response: Response, fault: Fault | None) -> None:
        payload = response.content()
        self.send_response_only(response.status)
        if payload:
            response.headers.setdefault("Content-Type", "application/json; charset=utf-8")
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if fault and fault.spec.get("truncate"):
            self.wfile.write(payload[: len(payload) // 2])
            self.wfile.flush()
            self.close_connection = True
            _cut(self.connection)
            return
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are in the request log, not on the terminal."""
