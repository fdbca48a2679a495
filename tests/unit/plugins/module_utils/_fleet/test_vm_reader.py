# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single machines and whole sets read right now: VMs, instances of uniform scale sets, members of flexible ones."""

from __future__ import annotations

import pytest
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Addresses, VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, IncompleteFleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.set_members import SetMembers
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.vm_reader import VmReader

INSTANCES = r"pool/virtualMachines\?"


def vm_id(cloud, name):
    return VmId.parse(cloud.id(name))


def comparable(vm, now):
    record = vm.to_record(now)
    return {**record, "id": record["id"].lower(), "resource_group": None, "paired_regions": None}


def test_what_is_read_by_itself_is_what_the_fleet_says(pools):
    """But for the paired regions, which no single read tells."""
    fleet = read_fleet(pools.arm(), Selection(subscriptions=[SUBSCRIPTION]))
    read = VmReader(pools.arm()).vms([vm.id for vm in fleet.vms], addresses=True)
    assert [comparable(read[vm.id.key], fleet.now) for vm in fleet.vms] == [comparable(vm, fleet.now) for vm in fleet.vms]


def test_an_instance(pools):
    vm = VmReader(pools.arm()).vm(vm_id(pools, "pool_3"), addresses=True)
    assert (vm.name, vm.instance_id, vm.zone, vm.update_domain, vm.power_state) == ("pool_3", "3", "2", 1, "stopped")
    assert vm.addresses.private == ("10.2.0.3",) and vm.status.allowed and vm.scale_set.endswith("/virtualMachineScaleSets/pool")


def test_what_is_gone_is_none(pools):
    gone = VmId.parse(pools.id("pool_3").rsplit("/", 1)[0] + "/77")
    assert VmReader(pools.arm()).vms([gone, vm_id(pools, "solo")])[gone.key] is None


def test_an_answer_without_the_view_that_was_asked_for(pools):
    view = pools.simulator.world.view.instance
    (instance,) = pools.simulator.fleet.named("pool_3")
    pools.fault("pool/virtualMachines/3[?]", body=view(instance))
    assert VmReader(pools.arm()).vm(vm_id(pools, "pool_3")).update_domain == 1


@pytest.mark.parametrize("name, members", [
    ("pool_3", ["pool_0", "pool_1", "pool_2", "pool_3", "pool_4"]), ("flex-a", ["flex-a", "flex-b"]), ("web-1", ["web-0a", "web-1"]), ("solo", ["solo"])])
def test_whole_sets(pools, name, members):
    reader = VmReader(pools.arm())
    one = reader.vm(vm_id(pools, name))
    found = SetMembers(pools.arm(), reader).of([one])
    assert sorted(vm.name for vm in found) == members


def test_an_instance_list_that_lost_its_own_instance(pools):
    pools.simulator.fleet.page_size = 2
    pools.fault(INSTANCES, lose_next_link=True)
    reader = VmReader(pools.arm())
    one = reader.vm(vm_id(pools, "pool_3"))
    with pytest.raises(IncompleteFleet, match="does not contain .*/pool/virtualMachines/3"):
        SetMembers(pools.arm(), reader).of([one])


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 500}, {"body": {"value": [{"id": "x"}]}}])
def test_a_set_that_cannot_be_read_is_an_error(pools, fault):
    pools.fault(INSTANCES, count=0, **fault)
    reader = VmReader(pools.arm())
    one = reader.vm(vm_id(pools, "pool_0"))
    with pytest.raises(AzureError, match="list the instances of .*/pool"):
        SetMembers(pools.arm(), reader).of([one])


def test_an_interface_that_is_gone_is_no_vm_that_is_gone(pools):
    pools.fault("networkInterfaces/solo-nic[?]", status=404)
    vm = VmReader(pools.arm()).vm(vm_id(pools, "solo"), addresses=True)
    assert vm.name == "solo" and vm.addresses == Addresses()
