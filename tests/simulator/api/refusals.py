# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Compute refuses at once, and the errors it answers with."""

from __future__ import annotations

from datetime import datetime

from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..runtime import maintenance
from ..wire.messages import ArmError
from . import locks

_NEEDS_HOST = ("performMaintenance", "redeploy", "restart", "reapply", "powerOff")
_MOVES = ("performMaintenance", "redeploy")


def refusal(fleet: Fleet, vm: Vm, kind: str, now: datetime) -> ArmError | None:
    """Return why this operation may not start on this VM now, or None."""
    locked = locks.refusal(fleet, vm)
    if locked:
        return locked
    if vm.state.operation:
        return _not_allowed(kind, vm, "another operation is in progress on it")
    if vm.state.power in ("deallocated", "deallocating") and kind in _NEEDS_HOST:
        return _not_allowed(kind, vm, "the VM is deallocated or is being deallocated")
    if kind == "performMaintenance" and not maintenance.allowed(fleet, vm, now):
        return _not_allowed(kind, vm, "the Subscription of this VM is not eligible")
    if kind in _MOVES and vm.group and vm.group.concurrent_redeploys:
        moving = [member for member in fleet.members(vm.group) if member.state.operation]
        if len(moving) >= vm.group.concurrent_redeploys:
            return ArmError(
                409,
                "TooManyVMRedeploymentRequests",
                "Too many redeployment requests have been received for "
                f"VM '{vm.name}' or VMs in the same availabilityset with this VM. Please retry later.",
            )
    return None


def _not_allowed(kind: str, vm: Vm, reason: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", f"Operation '{kind}' is not allowed on VM '{vm.name}' since {reason}.")
