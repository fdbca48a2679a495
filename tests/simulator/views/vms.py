# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders how VMs run, as Compute does: instance views and status-only items, and models with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.model import Vm, guid
from ..runtime import effects, maintenance
from ..runtime.engine import Engine
from ..wire.times import coarse, precise
from .models import COMPUTE, ModelView
from .scale_sets import ScaleSetView, placement_group


def _status(
    code: str, display: str, when: datetime | None = None, level: str = "Info", message: str = ""
) -> dict[str, Any]:
    status = {"code": code, "level": level, "displayStatus": display}
    if message:
        status["message"] = message
    if when:
        status["time"] = precise(when)
    return status


class View:
    """Renders the fleet as it is at the moment of the call."""

    def __init__(self, fleet: Fleet, engine: Engine) -> None:
        self.fleet, self.engine = fleet, engine
        self.models = ModelView(fleet)
        self.scale_sets = ScaleSetView(fleet, self.models)

    def listed(self, vm: Vm) -> dict[str, Any]:
        """Return a VM as it stands in a list."""
        return self.models.vm(vm, vm.list_id if self.fleet.quirks["upper_case_ids"] else vm.id)

    def expanded(self, vm: Vm) -> dict[str, Any]:
        """Return a VM as it stands in a list, with its instance view."""
        body = self.listed(vm)
        body["properties"]["instanceView"] = self.instance_view(vm)
        return body

    def model(self, vm: Vm, *, expand: bool = False) -> dict[str, Any]:
        """Return a VM as its own GET answers, with the instance view if asked."""
        body = self.models.vm(vm, vm.id)
        if expand:
            body["properties"]["instanceView"] = self.instance_view(vm)
        return body

    def instance(self, vm: Vm) -> dict[str, Any]:
        """Return a uniform instance."""
        return self.scale_sets.instance(vm)

    def expanded_instance(self, vm: Vm) -> dict[str, Any]:
        """Return a uniform instance with its view."""
        body = self.scale_sets.instance(vm)
        body["properties"]["instanceView"] = self.instance_view(vm)
        return body

    def status_only(self, vm: Vm) -> dict[str, Any]:
        """Return a VM as statusOnly=true lists it; how much it carries is the fleet's status_only."""
        full = self.instance_view(vm)
        shape = self.fleet.status_only
        if shape == "minimal":
            view = {"statuses": full["statuses"]}
        elif shape == "lean":
            view = {key: value for key, value in full.items() if key != "maintenanceRedeployStatus"}
        elif shape == "guestless":
            view = {key: value for key, value in full.items() if key not in ("vmAgent", "extensions")}
        else:
            view = full
        return {
            "name": vm.name,
            "id": vm.list_id if self.fleet.quirks["upper_case_ids"] else vm.id,
            "type": f"{COMPUTE}/virtualMachines",
            "location": vm.region,
            **({"tags": vm.state.tags} if vm.state.tags else {}),
            "properties": {
                "vmId": guid("vm", vm.key),
                "provisioningState": self.models.provisioning(vm),
                "instanceView": view,
            },
        }

    def instance_view(self, vm: Vm) -> dict[str, Any]:
        """Return the instance view."""
        now = self.engine.clock.now()
        hosted = vm.state.power != "deallocated"
        body: dict[str, Any] = {}
        if vm.instance_id is not None:
            body["placementGroupId"] = placement_group(vm)
        if vm.update_domain is not None:
            body["platformUpdateDomain"] = vm.update_domain
        if vm.fault_domain is not None:
            body["platformFaultDomain"] = vm.fault_domain
        if hosted and self._agent(vm, now) == "ready":
            body |= {
                "computerName": vm.computer_name,
                "osName": "ubuntu" if vm.os == "Linux" else "Windows Server 2022 Datacenter",
                "osVersion": "22.04" if vm.os == "Linux" else "10.0.20348.2582",
            }
        if hosted and vm.state.agent != "absent":
            body["vmAgent"] = self._vm_agent(vm, now)
        body["disks"] = [
            {"name": name, "statuses": [_status("ProvisioningState/succeeded", "Provisioning succeeded", vm.created)]}
            for name in (f"{vm.name}-os", *(f"{vm.name}-data-{n}" for n in range(vm.data_disks)))
        ]
        # managed storage: there, but without addresses
        body["bootDiagnostics"] = {}
        if vm.state.extensions and hosted:
            body["extensions"] = [self._extension(item, vm) for item in vm.state.extensions]
        block = maintenance.block(self.fleet, vm, now)
        if block is not None:
            body["maintenanceRedeployStatus"] = block
        body["hyperVGeneration"] = "V2"
        body["statuses"] = self._statuses(vm)
        return body

    def _statuses(self, vm: Vm) -> list[dict[str, Any]]:
        state = vm.state
        if state.operation:
            operation = self.engine.operations[state.operation]
            statuses = [_status("ProvisioningState/updating", "Updating")]
            in_motion = operation.phase not in ("waiting", "done") and (operation.down or operation.kind == "start")
            power = effects.power_in_motion(self.fleet, operation.kind, vm) if in_motion else state.power
        else:
            name = state.provisioning
            failed = name.lower().startswith("failed")
            statuses = [
                _status(
                    f"ProvisioningState/{name}",
                    "Provisioning failed" if failed else f"Provisioning {name}",
                    state.changed,
                    "Error" if failed else "Info",
                )
            ]
            power = state.power
        if power is not None:
            statuses.append(_status(f"PowerState/{power}", f"VM {power}"))
        return statuses

    def _agent(self, vm: Vm, now: datetime) -> str:
        state = vm.state
        starting = state.agent_ready_at is not None and now < state.agent_ready_at
        if state.agent != "ready" or starting or state.power != "running" or self.engine.moving(vm):
            return "not_ready"
        return "ready"

    def _vm_agent(self, vm: Vm, now: datetime) -> dict[str, Any]:
        if self._agent(vm, now) == "ready":
            status = _status("ProvisioningState/succeeded", "Ready", message="Guest Agent is running")
            version = "2.9.1.1"
        else:
            status = _status(
                "ProvisioningState/Unavailable",
                "Not Ready",
                level="Warning",
                message="VM status blob is found but not yet populated.",
            )
            version = "Unknown"
        return {"vmAgentVersion": version, "statuses": [status | {"time": coarse(now)}], "extensionHandlers": []}

    def _extension(self, item: dict[str, Any], vm: Vm) -> dict[str, Any]:
        status = item.get("status", "succeeded")
        failed = status == "failed"
        code = "ProvisioningState/failed/1" if failed else f"ProvisioningState/{status}"
        shown = _status(
            code, f"Provisioning {status}", vm.created, "Error" if failed else "Info", item.get("message", "")
        )
        return {
            "name": item["name"],
            "type": item.get("type", f"Microsoft.Azure.Extensions.{item['name']}"),
            "typeHandlerVersion": item.get("version", "1.0"),
            "statuses": [shown],
        }
