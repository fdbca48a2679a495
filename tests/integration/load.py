# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load on balancers that misses no lost request: wrk, clients that hold a slow request open, and a look at the servers five times a second."""

from __future__ import annotations

import http.client
import json
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

FILES = Path(__file__).with_name("traffic")
SLOW_SECONDS = 4
_ENOUGH_SECONDS = 600
_TIMEOUT_SECONDS = 10
_END_SECONDS = 15


class Wrk:
    """wrk on one URL until `stop`. With `keep` its connections stay open, else each request has one of its own."""

    CONNECTIONS = 3

    def __init__(self, url: str, *, keep: bool, pause_ms: int = 100) -> None:
        words = ["wrk", "-t", "1", "-c", str(self.CONNECTIONS), "-d", f"{_ENOUGH_SECONDS}s", "--timeout", f"{_TIMEOUT_SECONDS}s"]
        words += [] if keep else ["-H", "Connection: close"]
        words += ["-s", str(FILES / "load.lua"), url, "--", str(pause_ms)]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stop(self) -> dict[str, Any]:
        """End it; the document of load.lua."""
        self._process.send_signal(signal.SIGINT)
        out, _err = self._process.communicate(timeout=_END_SECONDS)
        return json.loads(out.splitlines()[-1])


@dataclass(frozen=True)
class Held:
    """A slow request: when it was sent and over (seconds since 1970), through which balancer, who answered, and what went wrong if anything did."""

    balancer: str
    sent: float
    over: float
    server: str
    trouble: str


class SlowClients:
    """Threads that each hold one slow request after another open; `stop` lets the last ones come to their end."""

    def __init__(self, balancers: Mapping[str, str], each: int, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._held: list[Held] = []
        self._threads = [threading.Thread(target=self._work, args=(name, address, number * SLOW_SECONDS / each), daemon=True)
                         for name, address in balancers.items() for number in range(each)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Held]:
        """End them; everything they asked for."""
        self._stop.set()
        for thread in self._threads:
            thread.join(SLOW_SECONDS + _END_SECONDS)
            assert not thread.is_alive(), "a slow request never ended"
        return self._held

    def _work(self, balancer: str, address: str, offset: float) -> None:
        self._stop.wait(offset)
        while not self._stop.is_set():
            sent = time.time()
            server, trouble = self._ask(address)
            self._held.append(Held(balancer, sent, time.time(), server, trouble))

    def _ask(self, address: str) -> tuple[str, str]:
        """Who answered, and what was wrong with the answer."""
        server = ""
        connection = http.client.HTTPConnection(address, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", f"/slow?seconds={SLOW_SECONDS}")
            answer = connection.getresponse()
            server = answer.headers.get("X-Served-By", "")
            body = answer.read()  # raises IncompleteRead when it breaks off
            whole = answer.status == 200 and body and set(body) == {ord(".")}
            return server, "" if whole else f"status {answer.status}, {body[:80]!r}"
        except (OSError, http.client.HTTPException) as error:
            return server, repr(error)
        finally:
            connection.close()


class Watch:
    """What a balancer says of its servers, over SSH: `looks` are (seconds since 1970, {server: [status, sessions]})."""

    def __init__(self, ssh: list[str], python: str, socket_path: str = "/run/haproxy/admin.sock") -> None:
        command = [*ssh, shlex.join([python, "-", socket_path, "web"])]
        with (FILES / "watch_balancer.py").open("rb") as script:
            self._process = subprocess.Popen(command, stdin=script, stdout=subprocess.PIPE, text=True)
        self.looks: list[tuple[float, dict[str, list[Any]]]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(_END_SECONDS)
        self._thread.join(_END_SECONDS)

    def left(self, server: str, before: float) -> float:
        """When it was last taken out before a moment; fails if it was not, or was lost without that.

        A server that is out shows as DOWN once its service has stopped.
        """
        statuses = [(when, servers[server][0]) for when, servers in self.looks if when < before]
        while_out = list(takewhile(lambda seen: not seen[1].startswith("UP"), reversed(statuses)))
        assert while_out, f"{server} was {statuses[-1][1]} when it went down"
        when, status = while_out[-1]
        assert status.startswith(("DRAIN", "MAINT")), f"{server} was not drained, it became {status}"
        return when

    def last_sessions(self, server: str, before: float) -> int:
        """Sessions on a server when it was last looked at before a moment."""
        return [servers[server][1] for when, servers in self.looks if when < before][-1]

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.endswith("\n"):
                look = json.loads(line)
                self.looks.append((look["time"], look["servers"]))
