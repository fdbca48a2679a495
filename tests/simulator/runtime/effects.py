# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operation does to a VM's state: when it begins, and when it ends."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta

from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..fleet.transitions import UNTOUCHED, Transition

_DOWN = ("performMaintenance", "redeploy", "restart", "powerOff", "deallocate")
_MESSAGES = {
    "completed": "Maintenance was completed.",
    "retry_later": "Maintenance cannot be started now. Please retry later.",
    "aborted": "Maintenance was aborted. The virtual machine was not changed.",
}
_CODES = {"completed": "MaintenanceCompleted", "retry_later": "RetryLater", "aborted": "MaintenanceAborted"}
_IN_MOTION = {
    "start": "starting",
    "powerOff": "stopping",
    "deallocate": "deallocating",
    "reapply": None,
    "restart": None,
}


def takes_down(kind: str, transition: Transition, vm: Vm) -> bool:
    """Say whether the VM is out of service while this operation runs."""
    return kind in _DOWN and transition.result not in UNTOUCHED and vm.state.power == "running"


def power_in_motion(fleet: Fleet, kind: str, vm: Vm) -> str | None:
    """Return the power state shown while the VM is moved; None: the entry is missing."""
    shown = _IN_MOTION.get(kind, fleet.quirks["power_in_motion"])
    if shown is None:
        return vm.state.power
    return None if shown == "missing" else shown


def leaves_running(kind: str, transition: Transition, vm: Vm) -> bool:
    """Say whether the VM runs after the operation."""
    return _power_after(kind, transition, vm) == "running"


def _power_after(kind: str, transition: Transition, vm: Vm) -> str:
    if transition.result in UNTOUCHED:
        return vm.state.power
    if transition.power_after:
        return transition.power_after
    if kind == "powerOff":
        return "stopped"
    if kind == "deallocate":
        return "deallocated"
    return vm.state.power if kind == "reapply" else "running"


def arrive(fleet: Fleet, vm: Vm, kind: str, transition: Transition) -> None:
    """Give the VM what its new host gives it: another dynamic public address. Called before the guest boots."""
    if not vm.dynamic or transition.result in UNTOUCHED:
        return
    if kind in ("performMaintenance", "redeploy") or (kind == "start" and vm.state.public is None):
        vm.state.public = _next_address(fleet, vm)


def _next_address(fleet: Fleet, vm: Vm) -> str:
    used = {other.state.public for other in fleet.vms.values()}
    old = ipaddress.IPv4Address(vm.state.public or vm.initial.get("public") or "20.50.0.10")
    network = ipaddress.IPv4Network((int(old) & ~0xFF, 24))
    host = int(old) & 0xFF
    for step in range(1, 255):
        candidate = str(network[100 + (host - 100 + step) % 150])
        if candidate not in used:
            return candidate
    raise RuntimeError(f"no free public address in {network}")


def finish(fleet: Fleet, vm: Vm, kind: str, transition: Transition, now: datetime) -> None:
    """Put the VM into the state that this operation leaves behind."""
    state = vm.state
    before = state.power
    state.power = _power_after(kind, transition, vm)
    if state.power == "deallocated" and vm.dynamic:
        state.public = None
    moved = kind != "reapply" and transition.result not in UNTOUCHED
    if moved and state.power == "running" and not (kind == "start" and before == "running"):
        delay = transition.agent_after_seconds
        state.agent_ready_at = now + timedelta(seconds=fleet.agent_after_seconds if delay is None else delay)
        state.changed = now
    state.provisioning = transition.provisioning_after or (
        f"failed/{transition.code or 'VMRedeploymentFailed'}" if transition.result == "failed" else "succeeded"
    )
    _block(vm, kind, transition)


def _block(vm: Vm, kind: str, transition: Transition) -> None:
    state = vm.state
    if state.wave is None:
        return
    fate = transition.block or ("completed" if kind == "performMaintenance" else "unchanged")
    result = "completed" if transition.result == "forgotten" else transition.result
    if result == "still_due":
        state.code, state.allowed, state.message = "None", True, None
    elif result == "completed" and fate == "vanishes":
        state.wave, state.allowed, state.code, state.message = None, None, "None", None
    elif result in _CODES and (kind == "performMaintenance" or transition.block == "completed"):
        if result == "completed" and fate == "unchanged":
            return
        state.code = _CODES[result]
        state.allowed = transition.allowed
        state.message = transition.message or _MESSAGES[result]
