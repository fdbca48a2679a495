# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies have the keys and the spelling of recorded ones."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest

SEVEN_DIGITS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00")
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
# As recorded in lists and single reads of 2024-2025, for a Linux VM with a managed disk; the capabilities and the
# security profile are those the portal gives to new VMs.
VM_KEYS = {"name", "id", "type", "location", "tags", "properties", "etag"}
PROPERTY_KEYS = {
    *("hardwareProfile", "provisioningState", "vmId", "storageProfile", "osProfile", "networkProfile"),
    *("diagnosticsProfile", "timeCreated", "additionalCapabilities", "securityProfile"),
}
STORAGE_KEYS = {"imageReference", "osDisk", "dataDisks", "diskControllerType"}
OS_DISK_KEYS = {"osType", "name", "createOption", "caching", "managedDisk", "deleteOption", "diskSizeGB"}
VIEW_KEYS = {
    *("computerName", "osName", "osVersion", "vmAgent", "disks", "bootDiagnostics", "hyperVGeneration", "statuses"),
}
BLOCK_KEYS = {
    *("isCustomerInitiatedMaintenanceAllowed", "preMaintenanceWindowStartTime", "preMaintenanceWindowEndTime"),
    *("maintenanceWindowStartTime", "maintenanceWindowEndTime", "lastOperationResultCode"),
}
NIC_KEYS = {"name", "id", "etag", "location", "properties", "type"}
IP_PROPERTY_KEYS = {
    *("provisioningState", "resourceGuid", "ipAddress", "publicIPAddressVersion", "publicIPAllocationMethod"),
    *("idleTimeoutInMinutes", "ipTags", "ipConfiguration"),
}


def test_vm(arm):
    body = arm.get(arm.vm("app-0"))
    assert set(body) == VM_KEYS
    assert set(body["properties"]) == PROPERTY_KEYS | {"availabilitySet"}
    assert set(body["properties"]["storageProfile"]) == STORAGE_KEYS
    assert set(body["properties"]["storageProfile"]["osDisk"]) == OS_DISK_KEYS
    assert body["type"] == "Microsoft.Compute/virtualMachines"
    assert SEVEN_DIGITS.fullmatch(body["properties"]["timeCreated"])


def test_spelling_of_ids(arm):
    single = arm.get(arm.vm("app-0"))
    listed = arm.get("providers/Microsoft.Compute/virtualMachines")["value"][0]
    group = arm.get("resourceGroups/alpha/providers/Microsoft.Compute/availabilitySets/app")
    assert "/resourceGroups/alpha/" in single["id"]
    assert "/resourceGroups/ALPHA/" in listed["id"] and listed["id"].endswith("/app-0")
    assert single["properties"]["availabilitySet"]["id"].endswith(
        "/ALPHA/providers/Microsoft.Compute/availabilitySets/APP"
    )
    assert [item["id"].rsplit("/", 1)[1] for item in group["properties"]["virtualMachines"]] == ["APP-0", "APP-1"]
    assert group["id"].endswith("/resourceGroups/alpha/providers/Microsoft.Compute/availabilitySets/app")
    assert set(group["properties"]) == {"platformUpdateDomainCount", "platformFaultDomainCount", "virtualMachines"}


def test_paths_are_found_in_any_case(arm):
    assert arm.get(arm.vm("APP-0", "/INSTANCEVIEW", group="ALPHA")).keys() == arm.view("app-0").keys()


def test_instance_view_of_a_member(arm):
    view = arm.view("app-0")
    assert set(view) == VIEW_KEYS | {"platformUpdateDomain", "platformFaultDomain", "maintenanceRedeployStatus"}
    assert view["platformUpdateDomain"] == 0
    assert [status["code"] for status in view["statuses"]] == ["ProvisioningState/succeeded", "PowerState/running"]
    assert SEVEN_DIGITS.fullmatch(view["statuses"][0]["time"]) and "time" not in view["statuses"][1]
    assert view["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    assert SECONDS.fullmatch(view["vmAgent"]["statuses"][0]["time"])


def test_a_single_vm_has_no_update_domain(arm):
    assert not {"platformUpdateDomain", "platformFaultDomain"} & set(arm.view("solo"))


def test_block_in_a_wave(arm):
    block = arm.view("solo")["maintenanceRedeployStatus"]
    assert set(block) == BLOCK_KEYS
    assert block["isCustomerInitiatedMaintenanceAllowed"] is True
    assert block["lastOperationResultCode"] == "None"
    assert all(SECONDS.fullmatch(block[key]) for key in BLOCK_KEYS if key.endswith("Time"))


@pytest.mark.parametrize("name", ["calm", "idle"])
def test_no_block_outside_a_wave_and_when_deallocated(arm, name):
    assert "maintenanceRedeployStatus" not in arm.view(name)


def test_block_before_the_window(arm):
    assert arm.view("later")["maintenanceRedeployStatus"]["isCustomerInitiatedMaintenanceAllowed"] is False


def test_null_message_on_demand(run, small):
    small["quirks"] = {"null_message": True}
    assert run(small).view("solo")["maintenanceRedeployStatus"]["lastOperationMessage"] is None


def test_deallocated(arm):
    view = arm.view("idle")
    assert set(view) == {"disks", "bootDiagnostics", "hyperVGeneration", "statuses"}
    assert view["statuses"][1] == {"code": "PowerState/deallocated", "level": "Info", "displayStatus": "VM deallocated"}


@pytest.mark.parametrize("query", ["$expand=instanceView", "%24expand=instanceView", "$expand=instanceview"])
def test_expand(arm, query):
    assert set(arm.get(arm.vm("solo", f"?{query}"))["properties"]["instanceView"]) >= VIEW_KEYS
    listed = arm.get(f"resourceGroups/alpha/providers/Microsoft.Compute/virtualMachines?{query}")["value"]
    assert all("instanceView" in item["properties"] for item in listed)


def test_failed_extension_spot_zone_and_ephemeral_disk(run, small):
    small["vms"][2] |= {"extensions": [{"name": "monitor", "status": "failed"}], "priority": "Spot"}
    arm = run(small)
    view, body = arm.view("solo"), arm.get(arm.vm("solo"))
    assert view["extensions"][0]["statuses"][0]["code"] == "ProvisioningState/failed/1"
    assert body["resources"][0]["id"].endswith("/extensions/monitor")
    assert body["properties"]["priority"] == "Spot"
    arm.subscription = list(arm.simulator.fleet.subscriptions)[1]
    far = arm.get(arm.vm("far", group="beta"))
    assert far["zones"] == ["2"] and far["location"] == "northeurope"
    assert far["properties"]["storageProfile"]["osDisk"]["diffDiskSettings"]["option"] == "Local"


def test_network(arm):
    nics = {nic["name"]: nic for nic in arm.get("providers/Microsoft.Network/networkInterfaces")["value"]}
    solo = nics["solo-nic"]
    assert set(solo) == NIC_KEYS
    assert solo == arm.get(arm.get(arm.vm("solo"))["properties"]["networkProfile"]["networkInterfaces"][0]["id"])
    assert solo["properties"]["virtualMachine"]["id"] == arm.get(arm.vm("solo"))["id"]
    address = solo["properties"]["ipConfigurations"][0]["properties"]
    assert address["privateIPAddress"] == "10.1.0.6"
    public = arm.get(address["publicIPAddress"]["id"])
    assert set(public["properties"]) == IP_PROPERTY_KEYS
    assert public["properties"]["publicIPAllocationMethod"] == "Dynamic" and public["sku"]["name"] == "Basic"
    assert [
        item["name"] for item in arm.get("resourceGroups/alpha/providers/Microsoft.Network/publicIPAddresses")["value"]
    ] == ["solo-ip"]
    assert "macAddress" not in nics["idle-nic"]["properties"]


def test_headers(arm):
    status, headers, dummy = arm.call("GET", arm.vm("solo"), x_ms_client_request_id="mine", x_ms_correlation_request_id="c")
    assert status == 200
    assert headers["x-ms-client-request-id"] == "mine" and headers["x-ms-correlation-request-id"] == "c"
    assert re.fullmatch(
        r"Microsoft\.Compute/LowCostGetSubscriptionMaximum;\d+,Microsoft\.Compute/LowCostGetResource;\d+",
        headers["x-ms-ratelimit-remaining-resource"],
    )
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"].isdigit()
    arm.simulator.clock.advance(86400)
    later = arm.call("GET", arm.vm("solo"))[1]["date"]
    assert 86395 < (parsedate_to_datetime(later) - parsedate_to_datetime(headers["date"])).total_seconds() < 86410


def test_limits_in_force(run, small):
    arm = run(small | {"limits": True})
    answers = [arm.call("GET", arm.vm("solo", "/instanceView")) for dummy in range(38)]
    assert [answer[0] for answer in answers[:36]] == [200] * 36
    status, headers, body = answers[37]
    assert status == 429 and int(headers["retry-after"]) > 0
    assert body["code"] == "OperationNotAllowed" and body["details"][0]["target"] == "LowCostGetResource"


def test_resource_manager(arm):
    assert {item["displayName"] for item in arm.get("/subscriptions")["value"]} == {"Small", "Other"}
    assert arm.get("/tenants")["value"][0]["tenantId"] == arm.simulator.fleet.tenant
    assert {item["name"] for item in arm.get("resourceGroups")["value"]} == {"alpha"}
    old = arm.get("locations?api-version=2015-01-01")["value"][0]
    assert set(old) == {"id", "name", "displayName", "longitude", "latitude"}
    new = {item["name"]: item for item in arm.get("locations?api-version=2022-12-01")["value"]}
    assert [pair["name"] for pair in new["brazilsouth"]["metadata"]["pairedRegion"]] == ["southcentralus"]
    assert new["westeurope"]["metadata"]["pairedRegion"][0]["id"].endswith("/locations/northeurope")


def test_cloud_metadata(arm):
    url = arm.simulator.url
    old = arm.raw("GET", "/metadata/endpoints?api-version=2015-01-01")[2]
    assert old["authentication"] == {"loginEndpoint": f"{url}/", "audiences": [url]}
    listed = arm.raw("GET", "/metadata/endpoints?api-version=2019-05-01")[2]
    assert isinstance(listed, list) and listed[0]["resourceManager"] == url
    one = arm.raw("GET", "/metadata/endpoints?api-version=2022-09-01")[2]
    assert one["authentication"]["loginEndpoint"] == url and one["authentication"]["identityProvider"] == "AAD"
