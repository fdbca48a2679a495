# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the models of VMs and availability sets: what was asked for, not how it runs."""

from __future__ import annotations

from typing import Any

from ..fleet.fleet import Fleet
from ..fleet.ids import nic_id
from ..fleet.model import AvailabilitySet, ScaleSet, Vm, guid
from ..wire.times import precise

COMPUTE = "Microsoft.Compute"
# As long as the key of a real VM: an RSA key of 3072 bits.
_KEY = f"ssh-rsa {'AAAAB3NzaC1yc2EAAAADAQABAAABgQ' * 18} generated-by-azure"


class ModelView:
    """Renders models; ids are spelled in upper case where Azure does so."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def provisioning(self, vm: Vm) -> str:
        """Return provisioningState as models spell it."""
        if vm.state.operation:
            return "Updating"
        return vm.state.provisioning.split("/")[0].capitalize()

    def status_code(self, vm: Vm) -> str:
        """Return the provisioning state as statuses spell it."""
        return f"ProvisioningState/{'updating' if vm.state.operation else vm.state.provisioning}"

    def vm(self, vm: Vm, identity: str) -> dict[str, Any]:
        """Return a VM under the given spelling of its id."""
        properties: dict[str, Any] = {
            "hardwareProfile": {"vmSize": vm.size},
            "provisioningState": self.provisioning(vm),
        }
        if vm.set:
            properties["availabilitySet"] = {"id": self._set_id(vm.set)}
        if vm.scale_set:
            properties["virtualMachineScaleSet"] = {"id": self._set_id(vm.scale_set)}
        if vm.pinned:
            properties["platformFaultDomain"] = vm.fault_domain
        properties |= self.common(vm)
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
            body["resources"] = self.extension_resources(vm, identity)
        return body

    def common(self, vm: Vm) -> dict[str, Any]:
        """Return the properties that VMs and instances share."""
        properties: dict[str, Any] = {
            "vmId": guid("vm", vm.key),
            "storageProfile": self._storage(vm),
            "osProfile": {"computerName": vm.computer_name, **self.guest_profile(vm.os)},
            "networkProfile": {"networkInterfaces": [{"id": nic_id(vm)}]},
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
            "additionalCapabilities": {"hibernationEnabled": False},
            "securityProfile": {
                "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
                "securityType": "TrustedLaunch",
            },
        }
        if vm.priority == "Spot":
            properties |= {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}
        return properties | {"timeCreated": precise(vm.created)}

    def extension_resources(self, vm: Vm, identity: str) -> list[dict[str, Any]]:
        """Return the extensions as a model lists them."""
        return [{"id": f"{identity}/extensions/{item['name']}"} for item in vm.state.extensions]

    def _set_id(self, group: AvailabilitySet | ScaleSet) -> str:
        if not self.fleet.quirks["upper_case_ids"]:
            return group.id
        kind = "availabilitySets" if isinstance(group, AvailabilitySet) else "virtualMachineScaleSets"
        return (
            f"/subscriptions/{group.subscription}/resourceGroups/{group.resource_group.upper()}"
            f"/providers/{COMPUTE}/{kind}/{group.name.upper()}"
        )

    def image_storage(self, os: str) -> dict[str, Any]:
        """Return the storage profile of a scale set: the image and the size of the system disk."""
        image = (
            ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2", "22.04.202410020")
            if os == "Linux"
            else ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2", "20348.2582.240703")
        )
        reference = dict(zip(("publisher", "offer", "sku", "exactVersion"), image, strict=True)) | {"version": "latest"}
        disk = {"osType": os, "createOption": "FromImage", "caching": "ReadWrite", "diskSizeGB": 30}
        return {"osDisk": disk, "imageReference": reference}

    def _storage(self, vm: Vm) -> dict[str, Any]:
        profile = self.image_storage(vm.os)
        os_disk = {"osType": vm.os, "name": f"{vm.name}-os", **profile["osDisk"]}
        if vm.ephemeral_os:
            os_disk |= {"caching": "ReadOnly", "diffDiskSettings": {"option": "Local", "placement": "CacheDisk"}}
        os_disk |= {"managedDisk": self._disk(vm, f"{vm.name}-os"), "deleteOption": "Delete"}
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
        return profile | {"osDisk": os_disk, "dataDisks": data, "diskControllerType": "SCSI"}

    def _disk(self, vm: Vm, name: str) -> dict[str, str]:
        return {
            "storageAccountType": "Standard_LRS" if vm.ephemeral_os else "Premium_LRS",
            "id": f"/subscriptions/{vm.subscription}/resourceGroups/{vm.resource_group}"
            f"/providers/{COMPUTE}/disks/{name}",
        }

    def guest_profile(self, os: str) -> dict[str, Any]:
        """Return the osProfile but for the name."""
        profile: dict[str, Any] = {"adminUsername": "azureuser"}
        if os == "Linux":
            profile["linuxConfiguration"] = {
                "disablePasswordAuthentication": True,
                "ssh": {"publicKeys": [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": _KEY}]},
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
