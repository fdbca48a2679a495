# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders scale sets, their summary, and the models of uniform instances."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.ids import nic_name, subnet_id
from ..fleet.model import ScaleSet, Vm, guid
from ..wire.times import precise
from .models import COMPUTE, ModelView

TYPE = f"{COMPUTE}/virtualMachineScaleSets"
_INSTANCES_PER_PLACEMENT_GROUP = 100


def placement_group(vm: Vm) -> str:
    """Return the GUID of the placement group an instance is in."""
    place = int(vm.instance_id or 0) // _INSTANCES_PER_PLACEMENT_GROUP
    return guid("placement group", vm.scale_set.id if vm.scale_set else "", vm.zone, place)


class ScaleSetView:
    """Renders scale sets as Compute does."""

    def __init__(self, fleet: Fleet, models: ModelView) -> None:
        self.fleet, self.models = fleet, models

    def scale_set(self, group: ScaleSet) -> dict[str, Any]:
        """Return the model of a scale set."""
        properties: dict[str, Any] = {
            "singlePlacementGroup": group.uniform and len(self.fleet.members(group)) <= _INSTANCES_PER_PLACEMENT_GROUP,
            "orchestrationMode": group.orchestration.capitalize(),
        }
        if group.uniform:
            properties |= {"upgradePolicy": _upgrade_policy(group), "overprovision": False}
        properties |= {"virtualMachineProfile": self._profile(group), "provisioningState": group.provisioning}
        if group.uniform:
            properties["doNotRunExtensionsOnOverprovisionedVMs"] = False
        properties |= {"uniqueId": guid("scale set", group.id), "platformFaultDomainCount": group.fault_domains}
        if group.created:
            properties["timeCreated"] = precise(group.created)
        body: dict[str, Any] = {"name": group.name, "id": group.id, "type": TYPE, "location": group.region}
        if group.tags:
            body["tags"] = group.tags
        if group.zones:
            body["zones"] = list(group.zones)
        sku = {"name": group.size, "tier": "Standard", "capacity": len(self.fleet.members(group))}
        return body | {"sku": sku, "properties": properties, "etag": '"1"'}

    def _profile(self, group: ScaleSet) -> dict[str, Any]:
        storage = self.models.image_storage(group.template.get("os", "Linux"))
        profile = self.models.guest_profile(group.template.get("os", "Linux"))
        return {
            "osProfile": {"computerNamePrefix": group.name[:9], **profile},
            "storageProfile": storage,
            "networkProfile": _network_configuration(group),
            "priority": group.template.get("priority", "Regular"),
        }

    def summary(self, group: ScaleSet) -> dict[str, Any]:
        """Return the instance view of a scale set: how many instances are in which state."""
        counts = Counter(self.models.status_code(vm) for vm in self.fleet.members(group))
        body: dict[str, Any] = {
            "virtualMachine": {"statusesSummary": [{"code": code, "count": n} for code, n in sorted(counts.items())]}
        }
        extensions: dict[str, Counter[str]] = {}
        for vm in self.fleet.members(group):
            for item in vm.state.extensions:
                extensions.setdefault(item["name"], Counter())[item.get("status", "succeeded")] += 1
        if extensions:
            body["extensions"] = [
                {
                    "name": name,
                    "statusesSummary": [{"code": f"ProvisioningState/{code}", "count": n} for code, n in seen.items()],
                }
                for name, seen in extensions.items()
            ]
        code = group.provisioning.lower()
        status = {"code": f"ProvisioningState/{code}", "level": "Info", "displayStatus": f"Provisioning {code}"}
        if code == "succeeded" and group.created:
            status["time"] = precise(group.created)
        return body | {"statuses": [status]}

    def instance(self, vm: Vm) -> dict[str, Any]:
        """Return the model of a uniform instance."""
        group = vm.scale_set
        properties = {
            "latestModelApplied": vm.latest_model,
            "modelDefinitionApplied": "VirtualMachineScaleSet",
            "networkProfileConfiguration": _network_configuration(group),
            "provisioningState": self.models.provisioning(vm),
            "hardwareProfile": {"vmSize": vm.size},
            "resilientVMDeletionStatus": "Disabled",
            **self.models.common(vm),
        }
        body: dict[str, Any] = {
            "name": vm.name,
            "id": vm.id,
            "type": f"{TYPE}/virtualMachines",
            "location": vm.region,
        }
        tags = vm.state.tags or group.tags
        if tags:
            body["tags"] = tags
        body |= {"instanceId": vm.instance_id, "sku": {"name": vm.size, "tier": "Standard"}}
        if vm.zone:
            body["zones"] = [vm.zone]
        body |= {"properties": properties, "etag": f'"{vm.state.etag}"'}
        if vm.state.extensions:
            body["resources"] = self.models.extension_resources(vm, vm.id)
        return body

    def bare(self, vm: Vm) -> dict[str, Any]:
        """Return a VM as a flexible scale set lists it: little more than its name."""
        return {"name": vm.name, "id": vm.id, "instanceId": vm.name, "location": vm.region}


def _upgrade_policy(group: ScaleSet) -> dict[str, Any]:
    policy: dict[str, Any] = {"mode": group.upgrade}
    if group.upgrade == "Rolling":
        policy["rollingUpgradePolicy"] = {
            "maxBatchInstancePercent": 20,
            "maxUnhealthyInstancePercent": 20,
            "maxUnhealthyUpgradedInstancePercent": 20,
            "pauseTimeBetweenBatches": "PT0S",
        }
    return policy


def _network_configuration(group: ScaleSet) -> dict[str, Any]:
    address = {
        "name": "ipconfig1",
        "properties": {
            "primary": True,
            "subnet": {"id": subnet_id(group.subscription, group.resource_group)},
            "privateIPAddressVersion": "IPv4",
        },
    }
    properties = {
        "primary": True,
        "enableAcceleratedNetworking": False,
        "disableTcpStateTracking": False,
        "dnsSettings": {"dnsServers": []},
        "enableIPForwarding": False,
        "ipConfigurations": [address],
    }
    return {"networkInterfaceConfigurations": [{"name": nic_name(group.name), "properties": properties}]}
