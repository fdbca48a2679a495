# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders network interfaces and public addresses as the network provider does."""

from __future__ import annotations

from typing import Any

from ..fleet.ids import nic_id, public_ip_id, subnet_id
from ..fleet.model import Vm, guid


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
    body = {"name": nic_id(vm).rsplit("/", 1)[1], "id": nic_id(vm), "etag": etag, "properties": properties}
    return body | _home(vm, "networkInterfaces")


def _home(vm: Vm, kind: str) -> dict[str, str]:
    """Return location and type; what belongs to a uniform instance is listed without."""
    return {} if vm.instance_id is not None else {"location": vm.region, "type": f"Microsoft.Network/{kind}"}


def _ip_configuration(vm: Vm, etag: str) -> dict[str, Any]:
    address: dict[str, Any] = {
        "provisioningState": "Succeeded",
        "privateIPAddress": vm.state.private,
        "privateIPAllocationMethod": "Dynamic",
    }
    if vm.has_public:
        address["publicIPAddress"] = {"id": public_ip_id(vm)}
    if vm.pools:
        address["loadBalancerBackendAddressPools"] = [{"id": pool} for pool in vm.pools]
    return {
        "name": "ipconfig1",
        "id": f"{nic_id(vm)}/ipConfigurations/ipconfig1",
        "etag": etag,
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": {
            **address,
            "subnet": {"id": subnet_id(vm.subscription, vm.resource_group)},
            "primary": True,
            "privateIPAddressVersion": "IPv4",
        },
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
    etag = f'W/"{guid("ip-etag", vm.key, vm.state.etag)}"'
    body = {"name": public_ip_id(vm).rsplit("/", 1)[1], "id": public_ip_id(vm), "etag": etag, "properties": properties}
    sku = {"name": "Basic" if vm.dynamic else "Standard", "tier": "Regional"}
    return {**body, **_home(vm, "publicIPAddresses"), "sku": sku}


def _mac(vm: Vm) -> str:
    digits = guid("mac", vm.key).replace("-", "").upper()[:6]
    return f"00-0D-3A-{digits[:2]}-{digits[2:4]}-{digits[4:6]}"
