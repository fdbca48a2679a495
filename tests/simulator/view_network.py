# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders network interfaces and public addresses as the network provider does."""

from __future__ import annotations

from typing import Any

from .model import Vm, guid
from .view_model import nic_id, public_ip_id


def nic(vm: Vm) -> dict[str, Any]:
    """Return a VM's network interface with its one ipConfiguration."""
    etag = f'W/"{guid("nic-etag", vm.key, vm.state.etag)}"'
    properties: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "resourceGuid": guid("nic", vm.key),
        "ipConfigurations": [_ip_configuration(vm, etag)],
        "dnsSettings": {
            "dnsServers": [],
            "appliedDnsServers": [],
            "internalDomainNameSuffix": f"{guid('vnet', vm.region)[:26]}.ax.internal.cloudapp.net",
        },
        "enableAcceleratedNetworking": False,
        "vnetEncryptionSupported": False,
        "enableIPForwarding": False,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
    }
    if vm.state.power != "deallocated":
        properties |= {"macAddress": _mac(vm), "primary": True}
    properties["virtualMachine"] = {"id": vm.id}
    return {
        "name": f"{vm.name}-nic",
        "id": nic_id(vm),
        "etag": etag,
        "location": vm.region,
        "properties": properties,
        "type": "Microsoft.Network/networkInterfaces",
    }


def _ip_configuration(vm: Vm, etag: str) -> dict[str, Any]:
    address: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "privateIPAddress": vm.state.private,
        "privateIPAllocationMethod": "Dynamic",
    }
    if vm.has_public:
        address["publicIPAddress"] = {"id": public_ip_id(vm)}
    return {
        "name": "ipconfig1",
        "id": f"{nic_id(vm)}/ipConfigurations/ipconfig1",
        "etag": etag,
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": address | {"subnet": {"id": _subnet(vm)}, "primary": True, "privateIPAddressVersion": "IPv4"},
    }


def public_ip(vm: Vm) -> dict[str, Any]:
    """Return a VM's public address; ipAddress is absent while a dynamic one is not allocated."""
    properties: dict[str, Any] = {"provisioningState": "Succeeded", "resourceGuid": guid("ip", vm.key)}
    if vm.state.public:
        properties["ipAddress"] = vm.state.public
    properties |= {
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Dynamic" if vm.dynamic else "Static",
        "idleTimeoutInMinutes": 4,
        "ipTags": [],
        "ipConfiguration": {"id": f"{nic_id(vm)}/ipConfigurations/ipconfig1"},
    }
    return {
        "name": f"{vm.name}-ip",
        "id": public_ip_id(vm),
        "etag": f'W/"{guid("ip-etag", vm.key, vm.state.etag)}"',
        "location": vm.region,
        "properties": properties,
        "type": "Microsoft.Network/publicIPAddresses",
        "sku": {"name": "Basic" if vm.dynamic else "Standard", "tier": "Regional"},
    }


def _subnet(vm: Vm) -> str:
    return (
        f"/subscriptions/{vm.subscription}/resourceGroups/{vm.resource_group}"
        f"/providers/Microsoft.Network/virtualNetworks/{vm.resource_group}-vnet/subnets/default"
    )


def _mac(vm: Vm) -> str:
    digits = guid("mac", vm.key).replace("-", "").upper()[:6]
    return f"00-0D-3A-{digits[:2]}-{digits[2:4]}-{digits[4:6]}"
