# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the models of VMs and availability sets: what was asked for, not how it runs."""

from __future__ import annotations

from typing import Any

from .clock import precise
from .model import AvailabilitySet, Fleet, Vm, guid

COMPUTE = "Microsoft.Compute"


class ModelView:
    """Renders models; ids are spelled in upper case where Azure does so."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def provisioning(self, vm: Vm) -> str:
        """Return provisioningState as models spell it."""
        if vm.state.operation:
            return "Updating"
        return vm.state.provisioning.split("/")[0].capitalize()

    def vm(self, vm: Vm, identity: str) -> dict[str, Any]:
        """Return a VM under the given spelling of its id."""
        properties: dict[str, Any] = {
            "hardwareProfile": {"vmSize": vm.size},
            "provisioningState": self.provisioning(vm),
            "vmId": guid("vm", vm.key),
        }
        if vm.set:
            properties["availabilitySet"] = {"id": self._set_id(vm.set)}
        properties |= {
            "storageProfile": self._storage(vm),
            "osProfile": self._os_profile(vm),
            "networkProfile": {"networkInterfaces": [{"id": nic_id(vm)}]},
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        }
        if vm.priority == "Spot":
            properties |= {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}
        properties["timeCreated"] = precise(vm.created)
        body: dict[str, Any] = {
            "name": vm.name,
            "id": identity,
            "type": f"{COMPUTE}/virtualMachines",
            "location": vm.region,
        }
        if vm.state.tags:
            body["tags"] = vm.state.tags
        if vm.zone:
            body["zones"] = [vm.zone]
        body |= {"properties": properties, "etag": f'"{vm.state.etag}"'}
        if vm.state.extensions:
            body["resources"] = [{"id": f"{identity}/extensions/{item['name']}"} for item in vm.state.extensions]
        return body

    def _set_id(self, group: AvailabilitySet) -> str:
        if not self.fleet.quirks["upper_case_ids"]:
            return group.id
        return (
            f"/subscriptions/{group.subscription}/resourceGroups/{group.resource_group.upper()}"
            f"/providers/{COMPUTE}/availabilitySets/{group.name.upper()}"
        )

    def _storage(self, vm: Vm) -> dict[str, Any]:
        linux = vm.os == "Linux"
        image = (
            ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2", "22.04.202410020")
            if linux
            else ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2", "20348.2582.240703")
        )
        os_disk = {
            "osType": vm.os,
            "name": f"{vm.name}-os",
            "createOption": "FromImage",
            "caching": "ReadOnly" if vm.ephemeral_os else "ReadWrite",
        }
        if vm.ephemeral_os:
            os_disk["diffDiskSettings"] = {"option": "Local", "placement": "CacheDisk"}
        os_disk |= {"managedDisk": self._disk(vm, f"{vm.name}-os"), "deleteOption": "Delete", "diskSizeGB": 30}
        data = [
            {
                "lun": lun,
                "name": f"{vm.name}-data-{lun}",
                "createOption": "Attach",
                "caching": "None",
                "managedDisk": self._disk(vm, f"{vm.name}-data-{lun}"),
                "deleteOption": "Detach",
                "diskSizeGB": 64,
                "toBeDetached": False,
            }
            for lun in range(vm.data_disks)
        ]
        names = ("publisher", "offer", "sku", "exactVersion")
        reference = dict(zip(names, image, strict=True)) | {"version": "latest"}
        return {"imageReference": reference, "osDisk": os_disk, "dataDisks": data, "diskControllerType": "SCSI"}

    def _disk(self, vm: Vm, name: str) -> dict[str, str]:
        return {
            "storageAccountType": "Standard_LRS" if vm.ephemeral_os else "Premium_LRS",
            "id": f"/subscriptions/{vm.subscription}/resourceGroups/{vm.resource_group}"
            f"/providers/{COMPUTE}/disks/{name}",
        }

    def _os_profile(self, vm: Vm) -> dict[str, Any]:
        profile: dict[str, Any] = {"computerName": vm.name, "adminUsername": "azureuser"}
        if vm.os == "Linux":
            profile["linuxConfiguration"] = {
                "disablePasswordAuthentication": True,
                "provisionVMAgent": True,
                "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
            }
        else:
            profile["windowsConfiguration"] = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
        return profile | {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True}

    def availability_set(self, group: AvailabilitySet) -> dict[str, Any]:
        """Return an availability set with the ids of its VMs, in upper case as Azure spells them."""
        upper = self.fleet.quirks["upper_case_ids"]
        body: dict[str, Any] = {
            "name": group.name,
            "id": group.id,
            "type": f"{COMPUTE}/availabilitySets",
            "location": group.region,
        }
        if group.tags:
            body["tags"] = group.tags
        body["properties"] = {
            "platformUpdateDomainCount": group.update_domains,
            "platformFaultDomainCount": group.fault_domains,
            "virtualMachines": [{"id": vm.upper_id if upper else vm.id} for vm in self.fleet.members(group)],
        }
        return body | {"sku": {"name": group.sku}}


def nic_id(vm: Vm) -> str:
    """Return the id of a VM's network interface."""
    return (
        f"/subscriptions/{vm.subscription}/resourceGroups/{vm.resource_group}"
        f"/providers/Microsoft.Network/networkInterfaces/{vm.name}-nic"
    )


def public_ip_id(vm: Vm) -> str:
    """Return the id of a VM's public address."""
    return (
        f"/subscriptions/{vm.subscription}/resourceGroups/{vm.resource_group}"
        f"/providers/Microsoft.Network/publicIPAddresses/{vm.name}-ip"
    )
