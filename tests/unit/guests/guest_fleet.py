# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest tests share: a fleet of real guests and ways to talk to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from simulator.guests import Guests, login

TESTS = Path(__file__).parents[2]
LOAD = TESTS / "demo" / "load.py"
# Of its own for every run: two runs at a time do not meet.
NET = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
WEB_01, WEB_02, DB_01, BALANCER = f"{NET}.11", f"{NET}.12", f"{NET}.21", f"{NET}.5"
WEB = {"web-01": WEB_01, "web-02": WEB_02}
DELAY_MS = 40


class Fleet:
    """Two web servers behind a balancer, and a database."""

    def __init__(self, state: Path) -> None:
        self.guests = Guests(state)
        self.state = state
        self.addresses = {**WEB, "db-01": DB_01, "lb-01": BALANCER}
        servers = {name: f"{address}:8080" for name, address in WEB.items()}
        specs = dict.fromkeys(WEB, {"services": ["web"], "web": {"delay_ms": DELAY_MS}})
        specs["db-01"] = {"services": ["db"]}
        specs["lb-01"] = {"balancer": {"port": 8080, "backends": {"web": {"servers": servers}}}}
        for name, spec in specs.items():
            self.guests.create(name, self.addresses[name], spec)

    def up(self) -> None:
        """Boot what is down, start what is stopped, and wait until the balancer sees both servers up."""
        for name, address in self.addresses.items():
            if not self.guests.running(name):
                self.guests.boot(name, address)
        for name, service, port in [*((name, "web", 8080) for name in WEB), ("db-01", "db", 5432)]:
            if not can_connect(self.addresses[name], port):
                self.ssh(name, f"service {service} start")
        self.balancer("; ".join(f"set server web/{name} state ready" for name in WEB))
        self.wait_for_servers(dict.fromkeys(WEB, "UP"))

    def ssh_command(self, name: str) -> list[str]:
        """The ssh client's command line, up to the remote command."""
        return login.ssh_command(self.guests.describe(), self.addresses[name])

    def ssh(self, name: str, command: str) -> str:
        """What a command printed on a guest; raises CalledProcessError when it failed."""
        return login.ssh(self.guests.describe(), self.addresses[name], command)

    def balancer(self, command: str) -> str:
        """What the stats socket of the balancer answers."""
        return login.ask_haproxy(self.guests.describe(), self.addresses["lb-01"], command)

    def wait_for_servers(self, wanted: dict[str, str]) -> None:
        """Wait until the balancer shows each server with the status wanted, and draining ones without sessions."""

        def seen() -> bool:
            rows = [line.split(",") for line in self.balancer("show stat").splitlines()]
            keys = [key.lstrip("# ") for key in rows[0]]
            servers = {row[1]: dict(zip(keys, row, strict=False)) for row in rows if row[0] == "web"}
            return all(
                servers[name]["status"] == status and (status != "DRAIN" or servers[name]["scur"] == "0")
                for name, status in wanted.items()
            )

        wait_until(seen, f"the balancer shows {wanted}")

    def load(self, out: Path) -> subprocess.Popen[str]:
        """Start the load; `end_load` ends it."""
        command = [sys.executable, str(LOAD), "--url", f"http://{BALANCER}:8080/", "--out", str(out)]
        return subprocess.Popen(command, text=True, stderr=subprocess.PIPE)


def end_load(process: subprocess.Popen[str], out: Path) -> dict:
    """End the load with SIGTERM; returns its summary."""
    process.terminate()
    dummy, errors = process.communicate(timeout=15)
    assert process.returncode == 0, errors
    return json.loads(out.read_text())


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Poll; fails the test by name when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def can_connect(address: str, port: int) -> bool:
    """Whether something listens."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def require_guests() -> None:
    """Skip, saying what is missing, where guests cannot run."""
    problems = Guests.check()
    if problems:
        pytest.skip("; ".join(problems))
