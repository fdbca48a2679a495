# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids of what belongs to a VM: its network interface, its public address, its subnet."""

from __future__ import annotations

from .model import Vm


def nic_name(of: str) -> str:
    """Return the name of the network interface of a VM, or of a scale set's configuration for one."""
    return f"{of}-nic"


def nic_id(vm: Vm) -> str:
    """Return the id of a VM's network interface; that of a uniform instance is below the instance."""
    if vm.instance_id is not None and vm.scale_set:
        return f"{vm.id}/networkInterfaces/{nic_name(vm.scale_set.name)}"
    return f"{_network(vm.subscription, vm.resource_group)}/networkInterfaces/{nic_name(vm.name)}"


def public_ip_id(vm: Vm) -> str:
    """Return the id of a VM's public address; that of a uniform instance is below its ipConfiguration."""
    if vm.instance_id is not None:
        return f"{nic_id(vm)}/ipConfigurations/ipconfig1/publicIPAddresses/{vm.scale_set.name}-ip"
    return f"{_network(vm.subscription, vm.resource_group)}/publicIPAddresses/{vm.name}-ip"


def subnet_id(subscription: str, group: str) -> str:
    """Return the id of the one subnet of a resource group."""
    return f"{_network(subscription, group)}/virtualNetworks/{group}-vnet/subnets/default"


def _network(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network"
