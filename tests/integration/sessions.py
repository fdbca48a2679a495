# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that take longer than anybody waits: through a balancer, or straight to a server."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from integration.cloud import Cloud

SECONDS = 120
"""The most that the guests' web server gives."""


class Session:
    """A request under way; `server` serves it, `cut` is when it broke off (seconds since 1970), if it did before its own end."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, 8080, timeout=SECONDS)
        self._connection.request("GET", f"/slow?seconds={SECONDS}", headers={"Connection": "close"})
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        self.server = self._answer.getheader("X-Served-By")
        self.cut: float | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        left = int(self._answer.getheader("Content-Length"))
        try:
            while piece := self._answer.read1():
                left -= len(piece)
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # cut, or closed by the test
        if left:
            self.cut = time.time()

    def close(self) -> None:
        with suppress(OSError):  # it is over
            self._socket.shutdown(socket.SHUT_RDWR)  # closing alone would wait for the thread that reads
        self._connection.close()


@contextmanager
def through_balancer(cloud: Cloud, *names: str) -> Iterator[dict[str, Session]]:
    """One session on each of these servers, by name."""
    with ExitStack() as stack:
        found: dict[str, Session] = {}
        while not found.keys() >= set(names):
            session = Session(cloud.address("lb-1"))
            if session.server in names and session.server not in found:
                found[session.server] = session
                stack.callback(session.close)
            else:
                session.close()
        yield found


@contextmanager
def past_balancer(cloud: Cloud, *names: str) -> Iterator[None]:
    """A request straight to each of these servers."""
    with ExitStack() as stack:
        for name in names:
            stack.callback(Session(cloud.address(name)).close)
        yield
