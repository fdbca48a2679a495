# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are described as one VM and carry the id of another."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import SUBSCRIPTION, vm

from ansible_collections.fleetops.azure_maintenance.plugins.filter.contradicting import contradicting

VM_ID = str(vm("web-02").id)
INSTANCE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/3"
DESCRIBED = {"azure_vm_name": "web-02", "azure_resource_group": "shop", "azure_subscription_id": SUBSCRIPTION}


@pytest.mark.parametrize("variables", [
    {}, {"azure_vm_name": "web-01"}, {"azure_vm_id": "web-01", "azure_vm_name": "x"}, {"azure_vm_id": VM_ID}, {"azure_vm_id": VM_ID, **DESCRIBED},
    {"azure_vm_id": f"{VM_ID.upper()}/".replace("/RESOURCEGROUPS/", "/resourcegroups/"), **DESCRIBED, "azure_resource_group": "SHOP"},
    {"azure_vm_id": INSTANCE, **DESCRIBED, "azure_vm_name": "POOL_3"}, {"azure_vm_id": VM_ID, "azure_vm_name": None}])
def test_one_vm(variables):
    assert contradicting(["host"], {"host": variables}) == []


@pytest.mark.parametrize("other", [{"azure_vm_name": "web-01"}, {"azure_resource_group": "old"}, {"azure_subscription_id": "other"},
                                   {"azure_vm_name": "pool_3", "azure_resource_group": "old"}])
def test_two_vms(other):
    found = contradicting(["well", "host"], {"well": {"azure_vm_id": VM_ID, **DESCRIBED}, "host": {"azure_vm_id": VM_ID, **DESCRIBED, **other}})
    assert found == [f"host: azure_vm_id is {VM_ID}, but " + " and ".join(f"{name} is {value}" for name, value in other.items())]


def test_an_instance_is_not_another_instance_or_set():
    for name in ("pool_4", "other_3", "3"):
        assert contradicting(["host"], {"host": {"azure_vm_id": INSTANCE, "azure_vm_name": name}})
