# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies in the shapes that were recorded from the real API -> records."""

from __future__ import annotations

import json

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.addresses import Nic, PublicIp, addresses_of, nic_references
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.instance_view import Model, View, has_temp_disk, make_vm, pairs_from_locations
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Addresses

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/TEST_VM"
VM_ID = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-03"
MODEL = {
    "name": "web-03", "id": VM_ID, "type": "Microsoft.Compute/virtualMachines", "location": "West US", "tags": {"tier": "web"}, "zones": ["1"],
    "properties": {
        "vmId": "90d81197-e4f0-4428-bc57-b486657a8e82", "hardwareProfile": {"vmSize": "Standard_A0"},
        "storageProfile": {"osDisk": {"osType": "Linux", "caching": "None"}, "dataDisks": []},
        "availabilitySet": {"id": f"{GROUP}/providers/Microsoft.Compute/availabilitySets/XPLATTESTAAVAIL8790"},
        "networkProfile": {"networkInterfaces": [{"id": f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic"}]},
        "provisioningState": "Succeeded"}}
BLOCK = {
    "isCustomerInitiatedMaintenanceAllowed": True,
    "preMaintenanceWindowStartTime": "2025-01-30T00:00:00+00:00", "preMaintenanceWindowEndTime": "2025-06-11T23:30:00+00:00",
    "maintenanceWindowStartTime": "2025-06-12T00:00:00+00:00", "maintenanceWindowEndTime": "2025-06-18T23:59:00+00:00",
    "lastOperationResultCode": "None"}
VIEW = {
    "platformUpdateDomain": 0, "platformFaultDomain": 0, "computerName": "web-03", "osName": "ubuntu",
    "vmAgent": {"vmAgentVersion": "2.2.38", "statuses": [
        {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready", "message": "Guest Agent is running",
         "time": "2019-04-12T22:01:03+00:00"}]},
    "disks": [{"name": "test", "statuses": [{"code": "ProvisioningState/succeeded", "time": "2019-04-12T21:59:47.1234567+00:00"}]}],
    "maintenanceRedeployStatus": BLOCK,
    "statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Provisioning succeeded", "time": "2019-04-12T22:00:31.7654321+08:00"},
                 {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"}]}


def vm_of(model, view, addresses=Addresses(), pairs=None):
    return make_vm(Model.of(model), View.of(view), addresses, pairs or {})


def made(view=None, properties=None, addresses=Addresses(), pairs=None, **model):
    return vm_of({**MODEL, **model, "properties": {**MODEL["properties"], **(properties or {})}}, {**VIEW, **(view or {})}, addresses, pairs)


def hazards(**changes):
    return [hazard.name for hazard in made(**changes).hazards]


def test_a_whole_vm():
    vm = made(pairs={"westus": ("eastus",)})
    assert (vm.name, vm.location, vm.zone, vm.paired_regions) == ("web-03", "westus", "1", ("eastus",))
    assert (vm.update_domain, vm.fault_domain, vm.power_state, vm.provisioning_state, vm.agent) == (0, 0, "running", "succeeded", "ready")
    assert vm.availability_set.endswith("XPLATTESTAAVAIL8790") and vm.tags == {"tier": "web"}
    assert vm.status.allowed and vm.status.message is None


@pytest.mark.parametrize("codes, power, provisioning", [
    (["PowerState/running", "ProvisioningState/succeeded"], "running", "succeeded"),
    (["ProvisioningState/succeeded/osProvisioningInProgress", "PowerState/deallocated"], "deallocated", "succeeded"),
    (["ProvisioningState/failed/1", "PowerState/stopped"], "stopped", "failed"), (["ProvisioningState/updating"], "unknown", "updating"),
    (["OSState/generalized", "ColocationStatus/Aligned", "powerstate/Running"], "running", "succeeded"), (["EncryptionState/x"], "unknown", "succeeded"),
    (["PowerState", "", "ProvisioningState/"], "unknown", "succeeded")])
def test_states_are_found_by_their_family(codes, power, provisioning):
    vm = made({"statuses": [{"code": code} for code in codes]})
    assert (vm.power_state, vm.provisioning_state) == (power, provisioning)


@pytest.mark.parametrize("agent, word", [
    (None, "unknown"), ({}, "unknown"), ({"statuses": []}, "unknown"), ({"statuses": [{"displayStatus": "Ready"}]}, "ready"),
    ({"statuses": [{"code": "ProvisioningState/Unavailable", "displayStatus": "Not Ready"}]}, "not_ready"), ({"statuses": [{}]}, "not_ready")])
def test_the_agent(agent, word):
    assert made({"vmAgent": agent}).agent == word


@pytest.mark.parametrize("view", [{"maintenanceRedeployStatus": None}, {"maintenanceRedeployStatus": {}}])
def test_without_a_block(view):
    assert made(view).status is None


def test_sections_that_are_left_out():
    vm = vm_of({"id": VM_ID.lower(), "location": "westus"}, {"statuses": [{}]})
    assert (vm.zone, vm.tags, vm.availability_set, vm.update_domain, vm.power_state, vm.provisioning_state) == (None, {}, None, None, "unknown", "unknown")
    empty = vm_of({**MODEL, "zones": [], "tags": None, "properties": None}, {"statuses": [{}]})
    assert (empty.zone, empty.tags) == (None, {})


def test_hazards():
    plain = {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}}
    assert hazards(properties=plain) == []
    disk = {**plain, "storageProfile": {"osDisk": {"diffDiskSettings": {"option": "Local", "placement": "NvmeDisk"}}}}
    assert hazards(properties=disk) == ["ephemeral_os_disk"]
    assert hazards(properties={"hardwareProfile": {}}) == ["temp_disk"]
    assert hazards(properties={**plain, "priority": "Spot"}) == ["spot"]
    assert hazards(properties=plain, addresses=Addresses(dynamic_public=True)) == ["dynamic_public_ip"]
    assert hazards(properties=plain, view={"statuses": [{"code": "PowerState/stopped"}]}) == ["not_running"]
    assert hazards(properties=plain, view={"statuses": [{"code": "PowerState/deallocated"}]}) == []
    assert hazards(properties=plain, view={"vmAgent": {"statuses": [{}]}}) == ["agent_not_ready"]
    failed = [{"name": "mon", "statuses": [{"code": "ProvisioningState/failed/1", "level": "Error"}]}, {"name": "ok", "statuses": None}]
    assert hazards(properties=plain, view={"extensions": failed}) == ["failed_extension"]
    for code, name in (("MaintenanceCompleted", "completed_but_allowed"), ("MaintenanceAborted", "retry_after_abort")):
        assert hazards(properties=plain, view={"maintenanceRedeployStatus": {**BLOCK, "lastOperationResultCode": code}}) == [name]
    events = {**plain, "scheduledEventsPolicy": {"userInitiatedRedeploy": {"automaticallyApprove": False}}}
    assert hazards(properties=events) == ["scheduled_events_on"]
    assert hazards(properties={**plain, "scheduledEventsPolicy": {"userInitiatedRedeploy": {"automaticallyApprove": True}}}) == []


@pytest.mark.parametrize("size, has", [
    ("Standard_A0", True), ("Standard_D2_v3", True), ("Standard_D2s_v3", True), ("Standard_D2s_v5", False), ("Standard_D2ds_v5", True),
    ("Standard_D2as_v4", True), ("Standard_D2as_v5", False), ("Standard_D2ads_v5", True), ("Standard_E4s_v4", False), ("Standard_E4ds_v4", True),
    ("Standard_E4-2s_v5", False), ("Standard_E4-2ds_v5", True), ("Standard_B2s", True), ("Standard_B2s_v2", False), ("Standard_B2ats_v2", False),
    ("Standard_F2s_v2", True), ("Standard_F2as_v6", False), ("Standard_F2ads_v6", True), ("Standard_M64s", True), ("Standard_M208s_v2", True),
    ("Standard_M64s_v3", False), ("Standard_M64ds_v3", True), ("Standard_E8as_v4", True),
    ("Standard_DC2s_v3", False), ("Standard_DC2ds_v3", True), ("Standard_EC2as_v5", False), ("Standard_L8s_v3", True), ("Standard_NC24ads_A100_v4", True),
    ("Basic_A1", True), ("standard_d2S_V5", False), ("Made_Up", True), ("", True), (None, True)])
def test_temporary_disks(size, has):
    assert has_temp_disk(size) is has


@pytest.mark.parametrize("view, is_one", [(None, False), ({}, False), ([], False), ({"statuses": []}, False), ({"statuses": [{}]}, True), ("x", False)])
def test_what_counts_as_a_view(view, is_one):
    assert (View.of(view) is not None) is is_one


# -- addresses ------------------------------------------------------------------------------------------------------------

def nic(name, *configurations):
    return f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{name}", {"properties": {"ipConfigurations": [
        {"properties": configuration} for configuration in configurations]}}


def pip(name):
    return {"id": f"{GROUP}/providers/Microsoft.Network/publicIPAddresses/{name}"}


def addresses(model, nics, public):
    return addresses_of(nic_references(model.get("properties") or {}), {key.lower(): Nic.of(body) for key, body in nics.items()},
                        {key.lower(): PublicIp.of(body) for key, body in public.items()})


def test_addresses_primary_ones_first_and_joined_without_regard_to_case():
    second, first = nic("b", {"privateIPAddress": "10.0.1.4"}), nic(
        "a", {"privateIPAddress": "10.0.0.5", "primary": False}, {"privateIPAddress": "10.0.0.4", "primary": True, "publicIPAddress": pip("OUT")})
    model = {"properties": {"networkProfile": {"networkInterfaces": [
        {"id": second[0].upper(), "properties": {"primary": False}}, {"id": first[0], "properties": {"primary": True}}]}}}
    public = {"properties": {"ipAddress": "52.188.210.136", "publicIPAllocationMethod": "Dynamic", "dnsSettings": {"fqdn": "web.example"}}}
    found = addresses(model, dict((first, second)), {pip("out")["id"]: public})
    assert found == Addresses(("10.0.0.4", "10.0.0.5", "10.0.1.4"), ("52.188.210.136",), ("web.example",), True)


def test_addresses_that_are_not_there():
    key, value = nic("a", {"publicIPAddress": pip("x")}, {"publicIPAddress": None})
    model = {"properties": {"networkProfile": {"networkInterfaces": [{"id": key}, {"id": "gone"}, {}]}}}
    unallocated = {pip("x")["id"]: {"properties": {"publicIPAllocationMethod": "Dynamic"}}}
    assert addresses(model, {key: value}, unallocated) == Addresses(dynamic_public=True)
    assert addresses(model, {}, {}) == addresses({}, {}, {}) == Addresses()
    assert addresses(model, {key: {"properties": None}}, {}) == Addresses()


INSTANCE = {
    "name": "pool_3", "id": f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualmachines/3", "instanceId": "3", "location": "eastus",
    "sku": {"name": "Standard_D2s_v5", "tier": "Standard"}, "zones": ["2"],
    "properties": {"hardwareProfile": {}, "osProfile": {"computerName": "pool-vm000003"}, "provisioningState": "Succeeded"}}


def test_an_instance_of_a_uniform_scale_set():
    vm = vm_of(INSTANCE, VIEW)
    assert (vm.name, vm.instance_id, vm.computer_name, vm.zone) == ("pool_3", "3", "pool-vm000003", "2")
    assert vm.scale_set == f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/pool" and vm.availability_set is None
    assert vm.failure_domain == (vm.scale_set.lower(), "2/0") and vm.hazards == ()
    assert Model.of({**INSTANCE, "instanceId": None}).instance_id == "3"


def test_a_member_of_a_flexible_scale_set_is_a_vm_that_names_it():
    flexible = {"virtualMachineScaleSet": {"id": f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/FLEX"}, "availabilitySet": None}
    vm = made(properties=flexible)
    assert (vm.name, vm.instance_id) == ("web-03", None) and vm.scale_set.endswith("/FLEX")


def test_the_agent_of_a_vm_without_a_host_says_nothing():
    view = {"statuses": [{"code": "PowerState/deallocated"}], "vmAgent": {"statuses": [{"displayStatus": "Not Ready"}]}}
    assert made(view).agent == "unknown" and not View.of({**VIEW, **view}).hosted


def test_pairs_count_both_ways():
    locations = json.loads("""[
      {"name": "brazilsouth", "metadata": {"pairedRegion": [{"name": "southcentralus", "id": "x"}]}},
      {"name": "southcentralus", "metadata": {"pairedRegion": []}},
      {"name": "West Europe", "metadata": {"pairedRegion": [{"name": "northeurope"}]}},
      {"name": "northeurope", "metadata": {"pairedRegion": [{"name": "westeurope"}]}},
      {"name": "polandcentral", "metadata": {}}, {"name": "eastasia"}]""")
    assert pairs_from_locations(locations) == {"brazilsouth": ("southcentralus",), "southcentralus": ("brazilsouth",),
                                               "westeurope": ("northeurope",), "northeurope": ("westeurope",),
                                               "polandcentral": (), "eastasia": ()}
