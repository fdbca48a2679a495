# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale sets as one reads them: uniform with instances of their own, flexible with ordinary VMs."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import quote

import pytest
from simulator.fleet import fleet_file
from simulator.fleet.schema import FleetError

NOW = datetime(2026, 3, 2, 10, 20, 30, tzinfo=timezone.utc)
VMS = "providers/Microsoft.Compute/virtualMachines"
SETS = "providers/Microsoft.Compute/virtualMachineScaleSets"
ALPHA = f"resourceGroups/alpha/{SETS}"
POOL = {"name": "pool", "resource_group": "alpha", "region": "westeurope", "wave": "now", "update_domains": 3}
FLEX = {"name": "flex", "resource_group": "alpha", "region": "westeurope", "orchestration": "flexible", "wave": "now"}


@pytest.fixture
def arm(run, sets):
    """A client of it."""
    return run(sets)


def test_lists_of_sets(arm):
    for where in (SETS, ALPHA):
        pool, flex = arm.get(where)["value"]
        assert (pool["name"], pool["sku"]["capacity"], pool["tags"]) == ("pool", 4, {"tier": "2"})
        assert pool["properties"]["orchestrationMode"] == "Uniform"
        assert pool["properties"]["provisioningState"] == "Succeeded"
        assert flex["properties"]["orchestrationMode"] == "Flexible"
        assert flex["properties"]["platformFaultDomainCount"] == 2
        assert "upgradePolicy" not in flex["properties"]
    assert arm.get(f"{ALPHA}/POOL") == pool
    assert arm.get(f"resourceGroups/alpha/{SETS}/nope", 404)["error"]["code"] == "ResourceNotFound"
    assert arm.get(f"{ALPHA}/nope/virtualMachines", 404)["error"]["code"] == "ParentResourceNotFound"


def test_instances_in_pages_with_views(run, sets):
    arm = run(sets | {"page_size": 3})
    items, pages = arm.follow(f"{ALPHA}/pool/virtualMachines?$expand=instanceView")
    assert pages == 2 and [item["instanceId"] for item in items] == ["0", "1", "2", "3"]
    assert [item["name"] for item in items] == ["pool_0", "pool_1", "pool_2", "pool_3"]
    views = [item["properties"]["instanceView"] for item in items]
    assert [view["platformUpdateDomain"] for view in views] == [0, 1, 2, 0]
    assert all("maintenanceRedeployStatus" in view for view in views[:3])
    assert "maintenanceRedeployStatus" not in views[3]
    assert items[0]["type"] == "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
    assert items[0]["properties"]["osProfile"]["computerName"] == views[0]["computerName"] == "pool000000"


def test_one_instance(arm):
    item = arm.get(f"{ALPHA}/pool/virtualmachines/1")
    assert item["id"].endswith("/virtualMachineScaleSets/pool/virtualMachines/1")
    assert "instanceView" not in item["properties"] and item["tags"] == {"tier": "2"}
    expanded = arm.get(f"{ALPHA}/pool/virtualMachines/1?$expand=instanceView")["properties"]["instanceView"]
    view = arm.get(f"{ALPHA}/pool/virtualMachines/1/instanceView")
    assert set(view) == set(expanded) and view["placementGroupId"]
    assert arm.get(f"{ALPHA}/pool/virtualMachines/9", 404)["error"]["code"] == "NotFound"
    refused = arm.get(f"{ALPHA}/pool/virtualMachines/pool_1", 400)["error"]
    assert (refused["code"], refused["target"]) == ("InvalidParameter", "instanceId")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("startswith(instanceView/statuses/code, 'PowerState') eq true", 4),
        ("properties/latestModelApplied eq true", 4),
        ("properties/latestModelApplied eq false", 0),
    ],
)
def test_filters(arm, text, count):
    target = f"{ALPHA}/pool/virtualMachines?$filter={quote(text)}&$select=instanceView"
    assert len(arm.get(target)["value"]) == count


def test_a_filter_it_does_not_know(arm):
    assert arm.get(f"{ALPHA}/pool/virtualMachines?$filter=name%20eq%20'x'", 400)["error"]["code"] == "BadRequest"


def test_instances_are_in_no_list_of_vms(arm):
    for target in (VMS, f"{VMS}?statusOnly=true", "providers/Microsoft.Network/networkInterfaces"):
        names = [item["name"] for item in arm.follow(target)[0]]
        assert len(names) == 8 and not any(name.startswith("pool") for name in names)


def test_network_interfaces(arm):
    items = arm.get(f"{ALPHA}/pool/networkInterfaces?api-version=2018-10-01")["value"]
    assert len(items) == 4
    assert items[1]["properties"]["virtualMachine"]["id"].endswith("/pool/virtualMachines/1")
    [mine] = arm.get(f"{ALPHA}/pool/virtualMachines/1/networkInterfaces")["value"]
    assert mine == items[1] == arm.get(f"{ALPHA}/pool/virtualMachines/1/networkInterfaces/{mine['name']}")
    model = arm.get(f"{ALPHA}/pool/virtualMachines/1")
    assert model["properties"]["networkProfile"]["networkInterfaces"] == [{"id": mine["id"]}]
    assert arm.get(f"{ALPHA}/flex/networkInterfaces", 404)["error"]["code"] == "NotFound"


def test_public_addresses_of_instances(run, small):
    public = {"addresses": {"public": "20.50.1.9"}}
    arm = run(small | {"scale_sets": [POOL | {"capacity": 2, "instances": [{"id": 1, **public}]}]})
    [address] = arm.get(f"{ALPHA}/pool/publicIPAddresses")["value"]
    assert address["properties"]["ipAddress"] == "20.50.1.9"
    assert "/pool/virtualMachines/1/networkInterfaces/" in address["id"]
    [interface] = arm.get(f"{ALPHA}/pool/virtualMachines/1/networkInterfaces")["value"]
    assert interface["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"]["id"] == address["id"]


def test_summary(arm):
    body = arm.get(f"{ALPHA}/pool/instanceView")
    assert body["virtualMachine"]["statusesSummary"] == [{"code": "ProvisioningState/succeeded", "count": 4}]
    assert body["statuses"][0]["code"] == "ProvisioningState/succeeded"


def test_flexible_members_are_vms(arm):
    vm = arm.get(arm.vm("flex-b"))
    assert vm["properties"]["virtualMachineScaleSet"]["id"].lower().endswith("/virtualmachinescalesets/flex")
    view = arm.view("flex-b")
    assert "platformUpdateDomain" not in view and view["platformFaultDomain"] == 1
    assert "maintenanceRedeployStatus" in view
    identity = arm.get(f"{ALPHA}/flex")["id"]
    chosen = "$filter=" + quote(f"'virtualMachineScaleSet/id' eq '{identity.upper()}'")
    for target in (f"{VMS}?{chosen}", f"{VMS}?statusOnly=true&{chosen}", f"resourceGroups/alpha/{VMS}?{chosen}"):
        assert [item["name"] for item in arm.get(target)["value"]] == ["flex-a", "flex-b"]


def test_a_flexible_set_says_little_of_them(arm):
    bare = arm.get(f"{ALPHA}/flex/virtualMachines")["value"]
    assert [item["instanceId"] for item in bare] == ["flex-a", "flex-b"] and "properties" not in bare[0]
    refused = [f"{ALPHA}/flex/virtualMachines?$expand=instanceView", f"{ALPHA}/flex/instanceView"]
    assert {arm.get(target, 400)["error"]["code"] for target in refused} == {"BadRequest"}
    assert arm.get(f"{ALPHA}/flex/virtualMachines/flex-a", 400)["error"]["target"] == "instanceId"


def test_a_vm_may_name_a_flexible_set(run, small):
    small["vms"].append({"name": "own", "scale_set": "flex", "zone": "2", "fault_domain": 1})
    arm = run(small | {"scale_sets": [FLEX | {"zones": ["1", "2"], "fault_domains": 2}]})
    vm = arm.get(arm.vm("own"))
    assert vm["zones"] == ["2"] and vm["properties"]["platformFaultDomain"] == 1


def test_members_are_dealt_to_zones_then_domains(small):
    pool = POOL | {"zones": ["1", "2"], "update_domains": 2, "capacity": 5}
    fleet = fleet_file.build(fleet_file.read(small | {"scale_sets": [pool]}), NOW)
    placed = [(vm.zone, vm.update_domain) for vm in fleet.members(next(iter(fleet.scale_sets.values())))]
    assert placed == [("1", 0), ("2", 0), ("1", 1), ("2", 1), ("1", 0)]


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (POOL | {"instances": [{"name": "x"}]}, "named by their id"),
        (POOL | {"instances": [{"id": 1}, {"id": 1}]}, "is there twice"),
        (POOL | {"instances": [{"id": 1, "update_domain": 3}]}, "not below the 3"),
        (POOL | {"instances": [{"id": 1, "zone": "1"}]}, "none of the zones"),
        (POOL | {"orchestration": "loose"}, "none of uniform, flexible"),
        (POOL | {"region": "nowhere"}, "no region 'nowhere'"),
        (FLEX | {"update_domains": 3}, "a flexible scale set has none"),
        (FLEX | {"instances": [{"id": 1}]}, "have names, not ids"),
        (FLEX | {"instances": [{"name": "x", "update_domain": 1}]}, "a flexible scale set has none"),
        (POOL | {"capacty": 1}, "did you mean 'capacity'"),
    ],
)
def test_mistakes_are_named(small, group, words):
    with pytest.raises(FleetError, match=r"scale_sets\[0\].*" + words):
        fleet_file.build(fleet_file.read(small | {"scale_sets": [group]}), NOW)


def test_a_vm_may_not_name_a_uniform_set(small):
    small["vms"].append({"name": "own", "scale_set": "pool"})
    with pytest.raises(FleetError, match="is uniform"):
        fleet_file.build(fleet_file.read(small | {"scale_sets": [POOL]}), NOW)
