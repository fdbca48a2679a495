# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control path /_sim/: look at the simulator and move it; no token, loopback only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..fleet import build_load_balancers, build_vms, schema
from ..fleet.build_sets import resize
from ..fleet.faults import check_fault
from ..fleet.model import Vm
from ..fleet.schema import FleetError
from ..imds.events import check_event
from ..wire.messages import ArmError, Request, Response
from ..wire.times import iso, parse_when
from .world import World

_PATCH = schema.keys({**build_vms.STATE, "public": schema.maybe(schema.text), "approve": schema.flag, "event": check_event})
_SCALE_SET = schema.keys({"provisioning": schema.text, "capacity": schema.whole(0)})
_LATENCY = schema.keys({"ms": schema.seconds}, ("ms",))
_TOKENS = schema.keys({"seconds": schema.whole(1), "expire": schema.flag})
_CLOCK = schema.keys({"advance": schema.text, "seconds": schema.anything, "set": schema.text})


class Control:
    """Answers /_sim/ requests; errors are ARM-shaped so that any client shows them."""

    def __init__(self, world: World, reset: Callable[[], datetime]) -> None:
        self.world, self._reset = world, reset
        self._routes = {
            ("GET", "ledger"): lambda request: self.world.ledger.as_list(),
            ("GET", "requests"): lambda request: list(self.world.requests),
            ("GET", "state"): lambda request: self.state(),
            ("GET", "faults"): lambda request: self.world.faults.report(),
            ("GET", "clock"): lambda request: {"now": iso(self.world.clock.now())},
            ("POST", "clock"): self._clock,
            ("POST", "latency"): self._latency,
            ("POST", "tokens"): self._tokens,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
        }
        self._kinds = {
            "vms": {"GET": self.patch, "POST": self.patch, "DELETE": self.delete},
            "scale_sets": {"GET": self.patch_set, "POST": self.patch_set},
            "load_balancers": {"GET": self.patch_balancer, "POST": self.patch_balancer},
        }

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        name = request.path.removeprefix("/_sim/").strip("/")
        if (request.method, name) == ("POST", "reset"):
            # Without the lock: it waits for jobs on guests, and these need the lock to end.
            return Response(200, {"now": iso(self._reset())})
        with self.world.lock:
            self.world.engine.catch_up()
            try:
                if (request.method, name) in self._routes:
                    return Response(200, self._routes[request.method, name](request))
                kind, dummy, thing = name.partition("/")
                if thing and kind in self._kinds and request.method in self._kinds[kind]:
                    changes = (request.json() or {}) if request.method == "POST" else {}
                    return Response(200, self._kinds[kind][request.method](thing, changes))
            except ArmError as error:
                return error.response()
            except FleetError as error:
                return ArmError(400, "InvalidControlRequest", str(error)).response()
        return ArmError(404, "NotFound", f"No control path {request.method} {request.path}").response()

    def state(self) -> dict[str, Any]:
        """Return clock, guests, every VM's state and the running operations."""
        world = self.world
        return {
            "now": iso(world.clock.now()),
            "url": world.url,
            "guests": world.guests.describe(),
            "vms": {
                vm.name if len(world.fleet.named(vm.name)) == 1 else vm.id: self._vm_state(vm)
                for vm in world.fleet.vms.values()
            }
            if len(world.fleet.vms) <= 1000
            else {vm.id: self._vm_state(vm) for vm in world.fleet.vms.values()},
            "running": [operation.as_dict() for operation in world.engine.running.values()],
        }

    def _vm_state(self, vm: Vm) -> dict[str, Any]:
        return {
            "id": vm.id,
            "update_domain": vm.update_domain,
            "set": vm.group.label if vm.group else None,
            "zone": vm.zone,
            "region": vm.region,
            **vm.state.as_dict(),
        }

    def _one(self, name: str) -> Vm:
        found = self.world.fleet.named(name if name.count("/") < 2 else f"/{name.lstrip('/')}")
        if len(found) != 1:
            raise FleetError(f"{name}: names {len(found)} VMs (use the id where a name is not unique)")
        return found[0]

    def delete(self, name: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
        """Delete a VM or an instance. Raises FleetError."""
        vm = self._one(name)
        self.world.engine.remove(vm)
        return {"deleted": vm.id}

    def patch_set(self, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change a scale set: scale it, or let it be in the middle of an update. Raises FleetError."""
        checked = _SCALE_SET(name, changes)
        fleet = self.world.fleet
        wanted = f"/{name.strip('/')}".lower()
        found = [group for key, group in fleet.scale_sets.items() if wanted in (key, f"/{group.name.lower()}")]
        if len(found) != 1:
            raise FleetError(f"{name}: names {len(found)} scale sets (use the id where a name is not unique)")
        group = found[0]
        group.provisioning = checked.get("provisioning", group.provisioning)
        for vm in resize(fleet, group, checked["capacity"]) if "capacity" in checked else ():
            self.world.engine.remove(vm)
        self.world.engine.writes += 1
        return {
            "id": group.id,
            "provisioning": group.provisioning,
            "capacity": len(fleet.members(group)),
            "instances": [vm.instance_id or vm.name for vm in fleet.members(group)],
        }

    def patch_balancer(self, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change a load balancer as somebody else would. Raises FleetError."""
        balancer = build_load_balancers.change(self.world.fleet, name, changes)
        self.world.engine.writes += 1
        return {"id": balancer.id, "pools": {pool.name: pool.states(self.world.fleet) for pool in balancer.pools.values()}}

    def patch(self, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change a VM's state; with guests, a power change really halts or boots it. Raises FleetError."""
        vm = self._one(name)
        checked = _PATCH(name, changes)
        if checked.get("wave") is not None and checked["wave"] not in self.world.fleet.waves:
            raise FleetError(f"{name}.wave: no wave {checked['wave']!r}")
        if checked.pop("approve", False):
            self.world.engine.approve(vm)
        if "event" in checked:
            return self.world.events.raise_event(vm, checked.pop("event"))
        before = vm.state.power
        vm.state.update(checked)
        if "operations" in checked:
            vm.state.attempts = {}
        if "agent" in checked:
            vm.state.agent_ready_at = None
        vm.state.etag += 1
        self._power(vm, before)
        self.world.engine.writes += 1
        return self._vm_state(vm)

    def _power(self, vm: Vm, before: str) -> None:
        after = vm.state.power
        if (before == "running") == (after == "running"):
            return
        guests = self.world.guests

        def boot() -> None:
            boot_id = guests.boot(vm)
            with self.world.lock:
                vm.state.boot_id = boot_id

        guests.run(boot if after == "running" else lambda: guests.halt(vm))

    def _clock(self, request: Request) -> dict[str, Any]:
        given = _CLOCK("clock", request.json() or {})
        clock = self.world.clock
        try:
            if "set" in given:
                clock.move_to(parse_when(given["set"], clock.now()))
            if "advance" in given:
                clock.move_to(parse_when("+" + given["advance"].lstrip("+"), clock.now()))
            clock.advance(float(given.get("seconds", 0)))
        except (ValueError, TypeError) as error:
            raise FleetError(f"clock: {error}") from None
        engine = self.world.engine
        engine.catch_up()
        engine.writes += 1
        engine.changed.notify_all()
        return {"now": iso(clock.now())}

    def _latency(self, request: Request) -> dict[str, Any]:
        fleet = self.world.fleet
        fleet.latency_ms = _LATENCY("latency", request.json() or {}).get("ms", fleet.latency_ms)
        return {"ms": fleet.latency_ms}

    def _tokens(self, request: Request) -> dict[str, Any]:
        given = _TOKENS("tokens", request.json() or {})
        fleet, identity = self.world.fleet, self.world.identity
        fleet.token_seconds = given.get("seconds", fleet.token_seconds)
        if given.get("expire"):
            identity.expire_all()
        return {"seconds": fleet.token_seconds}

    def _add_faults(self, request: Request) -> list[dict[str, Any]]:
        given = request.json()
        specs = given if isinstance(given, list) else [given]
        self.world.faults.add([check_fault(f"faults[{index}]", item) for index, item in enumerate(specs)])
        return self.world.faults.report()

    def _clear_faults(self, request: Request) -> list[dict[str, Any]]:
        self.world.faults.clear()
        return []
