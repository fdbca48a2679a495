# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids in every spelling ARM uses, failure domains, health, state, and the record and back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, SUBSCRIPTION, set_id, status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import Hazard
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import (
    Addresses, BadVmId, FailureDomain, Vm, VmId, normal_location, resource_name,
)

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
VM_ID = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-01"
SCALE_SET = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/pool"


@pytest.mark.parametrize("text", [
    VM_ID, VM_ID.lower(), VM_ID.upper(), VM_ID + "/", f" {VM_ID}\n", VM_ID.replace("/shop/", "/SHOP/"),
    VM_ID.replace("resourceGroups", "resourcegroups"), VM_ID.replace("virtualMachines", "virtualmachines")])
def test_one_vm_in_many_spellings(text):
    found = VmId.parse(text)
    assert found == VmId.parse(VM_ID) and hash(found) == hash(VmId.parse(VM_ID))
    assert found.key == VM_ID.lower()


def test_parts_and_text_of_an_id():
    found = VmId.parse(VM_ID)
    assert (found.subscription_id, found.resource_group, found.name) == (SUBSCRIPTION, "shop", "web-01")
    assert found.scale_set is None
    assert str(found) == VM_ID


@pytest.mark.parametrize("segment", ["virtualMachines", "virtualmachines"])
def test_scale_set_instances(segment):
    found = VmId.parse(f"{SCALE_SET}/{segment}/3")
    assert (found.scale_set, found.name) == ("pool", "3")
    assert str(found) == f"{SCALE_SET}/virtualMachines/3"
    assert found != VmId.parse(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/3")


@pytest.mark.parametrize("text, words", [
    ("web-01", "not an Azure resource id"), ("", "not an Azure resource id"), (None, "not an Azure resource id"),
    (SCALE_SET, "id of a Microsoft.Compute/virtualMachineScaleSets"),
    (set_id("web"), "id of a Microsoft.Compute/availabilitySets"),
    (f"{VM_ID}/extensions/monitor", "virtualMachines/extensions"),
    (f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic", "Microsoft.Network/networkInterfaces"),
    (GROUP, "not an Azure resource id")])
def test_what_is_no_vm_is_named(text, words):
    with pytest.raises(BadVmId, match=words):
        VmId.parse(text)


def test_small_helpers():
    assert resource_name(VM_ID + "/") == "web-01" and resource_name(None) is None
    assert normal_location("West Europe") == normal_location("westeurope") == "westeurope"
    assert normal_location(None) == ""


def test_update_domain_zero_is_a_domain():
    assert vm("a", "web", 0).failure_domain == FailureDomain(set_id("web").lower(), "0")


def test_members_share_a_set_in_any_spelling():
    upper = dataclasses.replace(vm("a", "web", 1), availability_set=set_id("WEB").upper())
    assert upper.failure_domain == vm("b", "web", 1).failure_domain


@pytest.mark.parametrize("lonely", [vm("a"), vm("a", None, 3)], ids=["no set", "update domain without a set"])
def test_a_vm_outside_sets_is_its_own_domain(lonely):
    assert lonely.failure_domain == FailureDomain(lonely.id.key, lonely.id.key)


def test_a_member_without_update_domain_is_its_own_domain():
    assert vm("a", "web", None).failure_domain == FailureDomain(set_id("web").lower(), vm("a").id.key)


def instance(number: str, domain: int | None, zone: str | None) -> Vm:
    return Vm(id=VmId(SUBSCRIPTION, "shop", number, "pool"), location="westeurope", status=status(),
              scale_set=SCALE_SET, instance_id=number, update_domain=domain, zone=zone, power_state="running")


def test_zones_of_a_scale_set_have_their_own_update_domains():
    assert instance("1", 0, "1").failure_domain != instance("2", 0, "2").failure_domain
    assert instance("1", 0, "1").failure_domain == instance("2", 0, "1").failure_domain
    assert instance("1", 0, None).failure_domain.domain == "0"
    assert instance("7", 0, None).name == "pool_7"


@pytest.mark.parametrize("fields, words", [
    ({}, None),
    ({"power_state": "stopped"}, "power state is stopped"),
    ({"power_state": "unknown"}, "power state is unknown"),
    ({"power_state": "deallocated"}, "power state is deallocated"),
    ({"agent": "not_ready"}, "agent is not ready"),
    ({"agent": "unknown"}, None),
    ({"provisioning_state": "unknown"}, None),
    ({"provisioning_state": "updating"}, "provisioning state is updating"),
    ({"provisioning_state": "failed"}, "provisioning state is failed"),
    ({"provisioning_state": "failed", "status": status(code="MaintenanceCompleted", allowed=False)}, None),
    ({"provisioning_state": "failed", "status": status(code="MaintenanceCompleted"), "power_state": "stopped"},
     "power state is stopped"),
    ({"provisioning_state": "failed", "status": None}, "failed"),
])
def test_health(fields, words):
    found = vm("a", **fields).unavailable_because()
    assert (found is None) if words is None else (words in found)


@pytest.mark.parametrize("power, absent, state", [
    ("deallocated", True, "not_hosted"), ("deallocating", True, "not_hosted"), ("stopped", False, "startable"),
    ("running", False, "startable")])
def test_a_deallocated_vm_is_absent_and_has_no_host_to_leave(power, absent, state):
    one = vm("a", power_state=power)
    assert (one.absent, one.state(NOW)) == (absent, state)


def test_state_without_a_block():
    assert vm("a", status=None).state(NOW) == "not_scheduled"
    assert vm("a", status=None, power_state="deallocated").state(NOW) == "not_hosted"


FULL = Vm(
    id=VmId.parse(VM_ID), location="westeurope", status=status(code="RetryLater", message="later", allowed=False),
    paired_regions=("northeurope",), zone="2", tags={"tier": "front"}, availability_set=set_id("web"), update_domain=0,
    fault_domain=0, power_state="running", provisioning_state="succeeded", agent="ready",
    addresses=Addresses(("10.0.0.4",), ("20.1.2.3",), ("web.example.com",), True),
    hazards=(Hazard("ephemeral_os_disk", "local"), Hazard("spot", "may go")))


@pytest.mark.parametrize("before", [FULL, vm("bare", status=None), instance("7", None, "1"),
                                    vm("off", power_state="deallocated")], ids=lambda one: one.name)
def test_record_and_back(before):
    record = json.loads(json.dumps(before.to_record(NOW)))
    assert Vm.from_record(record) == before.with_host(None)
    assert record["maintenance"]["state"] == before.state(NOW)


def test_record_has_one_shape():
    assert set(FULL.to_record(NOW)) == set(vm("bare", status=None).to_record(NOW))
    assert set(FULL.to_record(NOW)["maintenance"]) == set(vm("bare", status=None).to_record(NOW)["maintenance"])
    assert FULL.to_record(NOW)["update_domain"] == 0
    assert FULL.to_record(NOW)["maintenance"]["last_operation"] == {"code": "RetryLater", "message": "later"}
    assert FULL.blocking_hazards == (Hazard("ephemeral_os_disk", "local"),)


@pytest.mark.parametrize("missing", ["id", "location", "maintenance", "power_state", "agent"])
def test_a_short_record_is_an_error(missing):
    record = {key: value for key, value in FULL.to_record(NOW).items() if key != missing}
    with pytest.raises(KeyError, match=missing):
        Vm.from_record(record)


def test_host_and_groups_are_planner_input():
    named = vm("a").with_host("front-1", ["web", "prod"])
    assert (named.host, named.groups) == ("front-1", ("web", "prod"))
    assert "host" not in named.to_record(NOW) and "groups" not in named.to_record(NOW)
