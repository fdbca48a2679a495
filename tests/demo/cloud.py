# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Azure of the demo: a process of its own, its control path, and the truth about its VMs."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo import processes
from simulator.fleet import fleet_file
from simulator.runtime import maintenance

_START_SECONDS = 90.0
_STOP_SECONDS = 45.0


class CloudError(Exception):
    """The simulator cannot be started, or ended too early; the text says why."""


class Cloud:
    """The simulator of one fleet file and one state directory; `env_file` is what a shell sources once it is up."""

    def __init__(self, fleet: Path, state: Path, python: Path) -> None:
        self._fleet_file, self._state, self._python = fleet, state, python
        self._process: subprocess.Popen[str] | None = None
        self._guests: dict[str, Any] = {}
        self.env_file = state / "env.sh"
        self.fleet = fleet_file.build(fleet_file.read(fleet), datetime.now(UTC))
        self._vms = {vm.name: vm for vm in self.fleet.vms.values()}

    def check_addresses(self, port: int) -> None:
        """Raise CloudError when something else, such as another simulator, has the guests' addresses."""
        for vm in self._vms.values():
            if vm.guest is None:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((vm.guest_address, port))
                except OSError as error:
                    raise CloudError(
                        f"{vm.guest_address} port {port}, the address of {vm.name}, is not free ({error.strerror}): "
                        "end the other simulator (make simulator, make demo) first"
                    ) from None

    def start(self, env: Mapping[str, str], log: Path) -> None:
        """Start with guests and wait until requests are answered. Raises CloudError with what it said."""
        command = [self._python, "-m", "simulator", "--fleet", self._fleet_file, "--state", self._state, "--guests"]
        self.env_file.unlink(missing_ok=True)
        with log.open("w", encoding="utf-8") as out:
            self._process = processes.start(command, env, out, background=True)
        deadline = time.monotonic() + _START_SECONDS
        while not self.env_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8").strip()
                raise CloudError(f"the simulator did not start: {said or 'it said nothing'}")
            time.sleep(0.1)
        self.refresh()

    def stop(self) -> None:
        """End the simulator: it saves its state and halts the guests."""
        if self._process:
            processes.end(self._process, _STOP_SECONDS)

    def ask(self, path: str, body: Any = None) -> Any:
        """What the control path answers; with a `body` it is a POST. Raises CloudError."""
        port = (self._state / "port").read_text(encoding="ascii").strip()
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://127.0.0.1:{port}/_sim/{path}", data)
        trust = ssl.create_default_context(cafile=str(self._state / "ca.pem"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        try:
            with opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except OSError as error:
            raise CloudError(f"the simulator did not answer {path}: {error}") from error

    def refresh(self) -> None:
        """Learn how every VM is now."""
        state = self.ask("state")
        self._guests = state["guests"]
        for name, seen in state["vms"].items():
            self._vms[name].state.update(seen)

    @property
    def guests(self) -> Mapping[str, Any]:
        """How guests are reached: what Guests.describe() says."""
        return self._guests

    def startable(self) -> list[str]:
        """Ids, in lower case, of the VMs whose maintenance may be started and is still to be done."""
        now = datetime.now(UTC)
        return [
            vm.key for vm in self._vms.values() if maintenance.allowed(self.fleet, vm, now) and vm.state.code == "None"
        ]

    def members(self, label: str) -> set[str]:
        """Ids, in lower case, of the VMs of an availability set, which the ledger calls GROUP/NAME."""
        return {vm.key for vm in self._vms.values() if vm.group and vm.group.label == label}

    def addresses(self) -> dict[str, str]:
        """Where each guest is reached now."""
        return {name: vm.guest_address for name, vm in self._vms.items() if vm.guest is not None}

    def all_addresses(self) -> dict[str, tuple[str | None, str | None]]:
        """Private and public address of each VM now."""
        return {name: (vm.state.private, vm.state.public) for name, vm in self._vms.items()}

    def pairs(self) -> set[frozenset[str]]:
        """Regions that are paired, in either direction."""
        return {frozenset((region.name, other)) for region in self.fleet.regions.values() for other in region.paired}

    def ledger(self) -> list[dict[str, Any]]:
        """Every write so far."""
        return self.ask("ledger")
