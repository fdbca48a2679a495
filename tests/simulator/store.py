# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept in the state directory: saved after every write, taken over by the next start of the same fleet."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from .api.world import World
from .fleet import build_sets
from .runtime.operation import Operation, SetOperation
from .wire.times import iso

_STATE = "state.json"
_CHEAP_SECONDS = 0.02


class Store:
    """The saved state of one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._saved_writes = -1
        self._not_before = 0.0

    def load(self, digest: str) -> dict[str, Any] | None:
        """Return the saved state if it was made from this fleet."""
        path = self.directory / _STATE
        if not path.exists():
            return None
        saved = json.loads(path.read_text(encoding="utf-8"))
        return saved if saved.get("fleet") == digest else None

    def port(self) -> int:
        """Return the port of the last start, 0 if there was none."""
        path = self.directory / "port"
        return int(path.read_text(encoding="ascii")) if path.exists() else 0

    def keep_port(self, port: int) -> None:
        """Remember the port."""
        (self.directory / "port").write_text(f"{port}\n", encoding="ascii")

    def apply(self, saved: dict[str, Any], world: World) -> None:
        """Put a saved state into a new world."""
        self._members(saved, world)
        for key, state in saved["vms"].items():
            if key in world.fleet.vms:
                world.fleet.vms[key].state.update(state)
        world.ledger.restore(saved["ledger"])
        world.insights.update(saved["insights"])
        for key, item in saved.get("load_balancers", {}).items():
            world.fleet.load_balancers[key].restore(item, world.fleet)
        known = world.engine.operations
        for item in saved["operations"]:
            if "parts" in item:
                known[item["id"]] = SetOperation.restore(item, known)
                continue
            operation = Operation.restore(item)
            known[operation.id] = operation
            if operation.phase != "done":
                world.engine.running[operation.id] = operation

    def _members(self, saved: dict[str, Any], world: World) -> None:
        """Create again what scale sets had created, delete what was deleted."""
        fleet = world.fleet
        for key, item in saved["scale_sets"].items():
            group = fleet.scale_sets[key]
            group.provisioning = item["provisioning"]
            while group.next_number < item["next_number"]:
                build_sets.add_instance(group.name, fleet, group, {})
        for key in saved["deleted"]:
            if key in fleet.vms:
                fleet.remove(fleet.vms[key])

    def save(self, world: World, digest: str, epoch: datetime, *, force: bool = False) -> None:
        """Write state.json and ledger.json if anything was written since the last time. The caller holds the lock.

        Big fleets make saving slow: then it waits a little, so that it never takes more than a tenth of the time.
        """
        if not force and (world.engine.writes == self._saved_writes or time.monotonic() < self._not_before):
            return
        began = time.monotonic()
        self._saved_writes = world.engine.writes
        ledger = world.ledger.as_list()
        keep_boots = world.guests.real
        state = {
            "fleet": digest,
            "epoch": iso(epoch),
            "clock_offset": world.clock.offset,
            "vms": {
                key: vm.state.as_dict()
                for key, vm in world.fleet.vms.items()
                if vm.state.etag > 1 or (keep_boots and vm.state.boot_id)
            },
            "deleted": sorted(world.fleet.removed),
            "insights": world.insights,
            "load_balancers": {key: balancer.saved() for key, balancer in world.fleet.load_balancers.items()},
            "scale_sets": {
                key: {"provisioning": group.provisioning, "next_number": group.next_number}
                for key, group in world.fleet.scale_sets.items()
            },
            "operations": [operation.as_dict() for operation in world.engine.operations.values()],
            "ledger": ledger,
        }
        self._write("ledger.json", "[\n" + ",\n".join(map(json.dumps, ledger)) + "\n]\n")
        self._write(_STATE, json.dumps(state))
        took = time.monotonic() - began
        self._not_before = began + took * 10 if took > _CHEAP_SECONDS else 0.0

    def _write(self, name: str, content: str) -> None:
        partial = self.directory / f"{name}.new"
        partial.write_text(content, encoding="utf-8")
        os.replace(partial, self.directory / name)
