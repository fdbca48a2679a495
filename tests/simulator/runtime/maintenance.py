# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance block of a VM: whether it is there, and whether the user may start."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.model import Vm
from ..wire.times import coarse


def allowed(fleet: Fleet, vm: Vm, now: datetime) -> bool:
    """Say whether the user may start: as declared, else inside the self-service window with nothing tried yet."""
    state = vm.state
    if state.wave is None or state.power == "deallocated":
        return False
    if state.allowed is not None:
        return state.allowed
    start, end = fleet.waves[state.wave].self_service
    return start <= now < end and state.code.lower() == "none"


def block(fleet: Fleet, vm: Vm, now: datetime) -> dict[str, Any] | None:
    """Return maintenanceRedeployStatus, or None where Azure leaves it out."""
    state = vm.state
    if state.wave is None or state.power == "deallocated":
        return None
    wave = fleet.waves[state.wave]
    rendered = {
        "isCustomerInitiatedMaintenanceAllowed": allowed(fleet, vm, now),
        "preMaintenanceWindowStartTime": coarse(wave.self_service[0]),
        "preMaintenanceWindowEndTime": coarse(wave.self_service[1]),
        "maintenanceWindowStartTime": coarse(wave.scheduled[0]),
        "maintenanceWindowEndTime": coarse(wave.scheduled[1]),
        "lastOperationResultCode": state.code,
    }
    if state.message is not None or fleet.quirks["null_message"]:
        rendered["lastOperationMessage"] = state.message
    return rendered
