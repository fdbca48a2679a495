# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers: pools of both kinds, a write under If-Match with its operation, what is refused, and the ledger."""

from __future__ import annotations

import copy

import pytest
import yaml
from simulator.fleet import fleet_file
from simulator.fleet.schema import FleetError
from simulator.server import Simulator

from .conftest import SMALL, Arm
from .test_fleet_file import NOW

NETWORK = "resourceGroups/alpha/providers/Microsoft.Network"
FRONT = f"{NETWORK}/loadBalancers/front"
WEB, BLUE = f"{FRONT}/backendAddressPools/web", f"{FRONT}/backendAddressPools/blue"
BALANCERS = [
    {"name": "front", "resource_group": "alpha", "region": "westeurope", "writes": [{"after_seconds": 20}], "pools": [
        {"name": "web", "members": ["app-0", "app-1"]},
        {"name": "blue", "kind": "ip", "probe": False, "members": [
            "app-0", {"vm": "solo", "admin_state": "Up"}, {"address": "10.1.0.4", "network": "elsewhere", "name": "stranger"}]}]},
    {"name": "old", "resource_group": "alpha", "region": "westeurope", "sku": "Basic", "pools": [{"name": "web", "members": ["calm"]}]},
]


@pytest.fixture
def balanced(tmp_path):
    """A client of the small fleet behind two load balancers; called, it starts the same fleet again."""
    running = []

    def start(credential=0):
        data = {**yaml.safe_load(SMALL.read_text(encoding="utf-8")), "load_balancers": copy.deepcopy(BALANCERS)}
        running.append(Simulator(data, tmp_path).start())
        return Arm(running[-1], credential)

    yield start
    for simulator in running:
        simulator.stop()


@pytest.fixture
def arm(balanced):
    """Its client."""
    return balanced()


def put(arm, path, states, etag=None, body=None):
    """Write a pool as it was read, with other adminStates; (status, headers, body)."""
    body = body or arm.get(path)
    for address in body["properties"]["loadBalancerBackendAddresses"]:
        if address["name"] in states:
            address["properties"]["adminState"] = states[address["name"]]
    return arm.call("PUT", path, body, If_Match=etag or body["etag"])


def states(arm, path):
    """adminState by name, None where absent."""
    return {one["name"]: one["properties"].get("adminState") for one in arm.get(path)["properties"]["loadBalancerBackendAddresses"]}


def wait(arm, seconds=20):
    arm.control("POST", "clock", {"seconds": seconds})


def test_what_is_read(arm):
    body = arm.get(FRONT)
    assert body["sku"] == {"name": "Standard", "tier": "Regional"} and body["type"] == "Microsoft.Network/loadBalancers"
    web = arm.get(WEB)
    assert web == body["properties"]["backendAddressPools"][0] == arm.get(f"{FRONT}/backendAddressPools")["value"][0]
    assert web["etag"] == body["etag"], "its parts share the etag of the load balancer"
    address = web["properties"]["loadBalancerBackendAddresses"][0]
    assert "ipAddress" not in address["properties"] and "adminState" not in address["properties"]
    configuration = address["properties"]["networkInterfaceIPConfiguration"]["id"]
    nic = arm.get(f"{NETWORK}/networkInterfaces/app-0-nic")["properties"]["ipConfigurations"][0]
    assert configuration.lower() == nic["id"].lower() and "/resourceGroups/ALPHA/" in configuration
    assert nic["properties"]["loadBalancerBackendAddressPools"] == [{"id": web["id"]}]
    blue = arm.get(BLUE)["properties"]
    assert [one["properties"]["ipAddress"] for one in blue["loadBalancerBackendAddresses"]] == ["10.1.0.4", "10.1.0.6", "10.1.0.4"]
    assert blue["loadBalancerBackendAddresses"][2]["properties"]["virtualNetwork"]["id"].endswith("/virtualNetworks/elsewhere")
    assert "loadBalancerBackendAddressPools" not in arm.get(f"{NETWORK}/networkInterfaces/solo-nic")["properties"]["ipConfigurations"][0]["properties"]
    rules = {rule["name"]: rule["properties"] for rule in body["properties"]["loadBalancingRules"]}
    assert "probe" in rules["web"] and "probe" not in rules["blue"]
    below = ("providers/Microsoft.Network/loadBalancers", f"{NETWORK}/loadBalancers")
    assert [[one["name"] for one in arm.get(path)["value"]] for path in below] == [["front", "old"]] * 2
    assert arm.get("/subscriptions/5ab00000-0000-4000-8000-000000000002/providers/Microsoft.Network/loadBalancers")["value"] == []


def test_a_write_takes_its_time_and_is_in_the_ledger(arm):
    before = arm.get(WEB)["etag"]
    answer = put(arm, WEB, {"app-0-nic-ipconfig1": "Down"})
    assert answer[0] == 200 and answer[2]["properties"]["provisioningState"] == "Updating" and answer[2]["etag"] != before
    assert "/providers/Microsoft.Network/locations/westeurope/operations/" in answer[1]["azure-asyncoperation"] and "location" not in answer[1]
    assert arm.poll(answer) == {"status": "InProgress"}
    assert put(arm, BLUE, {})[2]["error"]["code"] == "RetryableErrorDueToAnotherOperation", "one write at a time to the whole load balancer"
    wait(arm)
    assert arm.poll(answer) == {"status": "Succeeded"}
    after = arm.get(WEB)
    assert after["properties"]["provisioningState"] == "Succeeded" and after["etag"] not in (before, answer[2]["etag"])
    assert states(arm, WEB) == {"app-0-nic-ipconfig1": "Down", "app-1-nic-ipconfig1": None}
    entry, refused = arm.simulator.ledger()
    shown = (entry["operation"], entry["name"], entry["outcome"], entry["down"])
    assert shown == ("Microsoft.Network/loadBalancers/backendAddressPools", "web", "updated", False)
    assert entry["before"] == dict.fromkeys(entry["after"], "None") and entry["after"]["app-0-nic-ipconfig1"] == "Down"
    assert entry["end"] > entry["start"] and (refused["status"], refused["outcome"]) == (429, "refused")


def test_a_stale_etag_is_refused_whichever_part_was_written(arm):
    etag = arm.get(WEB)["etag"]
    put(arm, BLUE, {"solo-nic-ipconfig1": "Down"})
    wait(arm)
    status, dummy, body = put(arm, WEB, {}, etag)
    assert status == 412 and body["error"]["code"] == "PreconditionFailed" and body["error"]["details"][0]["code"] == "PreconditionFailedEtagMismatch"
    fresh = arm.get(WEB)["etag"]
    arm.control("POST", "load_balancers/front", {"pool": "web", "add": ["later"], "remove": ["app-1-nic-ipconfig1"]})
    assert put(arm, WEB, {}, fresh)[0] == 412 and list(states(arm, WEB)) == ["app-0-nic-ipconfig1", "later-nic-ipconfig1"]
    pools = [arm.get(f"{NETWORK}/networkInterfaces/{name}-nic")["properties"]["ipConfigurations"][0]["properties"].get("loadBalancerBackendAddressPools")
             for name in ("later", "app-1")]
    assert pools == [[{"id": arm.get(WEB)["id"]}], None]
    known = arm.get(WEB)["etag"]
    arm.control("DELETE", "vms/later")
    assert list(states(arm, WEB)) == ["app-0-nic-ipconfig1"] and put(arm, WEB, {}, known)[0] == 412
    assert put(arm, WEB, {}, "*")[0] == 200


def test_what_leaves_a_pool_by_a_write(arm):
    blue, web = arm.get(BLUE), arm.get(WEB)
    blue["properties"]["loadBalancerBackendAddresses"].pop()
    assert put(arm, BLUE, {}, body=blue)[0] == 200 and list(states(arm, BLUE)) == ["app-0-nic-ipconfig1", "solo-nic-ipconfig1"]
    wait(arm)
    web["properties"]["loadBalancerBackendAddresses"].pop()
    assert put(arm, WEB, {}, "*", body=web)[0] == 200 and len(states(arm, WEB)) == 2, "interfaces leave by themselves"


@pytest.mark.parametrize(("path", "member", "status", "code"), [
    (WEB, {"name": "app-0-nic-ipconfig1", "properties": {"adminState": "Sideways"}}, 400, "InvalidRequestFormat"),
    (WEB, {"name": "nobody", "properties": {}}, 400, "InvalidResourceReference"),
    (f"{FRONT}/backendAddressPools/new", {"name": "x", "properties": {"adminState": "Down"}}, 400, "AdminStateNotSupportedAtCreation"),
    (WEB.replace("front", "old"), {"name": "calm-nic-ipconfig1", "properties": {"adminState": "Down"}}, 400, "AdminStateNotSupportedForBasicSkuLoadBalancer"),
    (WEB.replace("front", "none"), {"name": "x", "properties": {}}, 404, "ResourceNotFound"),
    (WEB.replace("alpha", "none"), {"name": "x", "properties": {}}, 404, "ResourceGroupNotFound")])
def test_what_is_refused(arm, path, member, status, code):
    answer = arm.call("PUT", path, {"properties": {"loadBalancerBackendAddresses": [member]}})
    assert (answer[0], answer[2]["error"]["code"]) == (status, code)
    assert [entry["outcome"] for entry in arm.simulator.ledger()] == ["refused"]


def test_a_new_pool_and_one_that_is_not_there(arm):
    assert arm.get(f"{FRONT}/backendAddressPools/new", 404)["error"]["code"] == "NotFound"
    answer = arm.call("PUT", f"{FRONT}/backendAddressPools/new", {"properties": {}})
    assert answer[0] == 201 and arm.get(f"{FRONT}/backendAddressPools/NEW")["name"] == "new"


def test_writes_that_fail(balanced):
    arm = balanced()
    arm.control("POST", "load_balancers/front", {"writes": [{"result": "failed", "code": "Broken", "message": "It broke."}, {"result": "stuck"}]})
    answer = put(arm, WEB, {"app-0-nic-ipconfig1": "Down"})
    assert arm.poll(answer) == {"status": "Failed", "error": {"code": "Broken", "message": "It broke.", "details": []}}
    assert arm.get(WEB)["properties"]["provisioningState"] == "Failed"
    stuck = put(arm, WEB, {"app-0-nic-ipconfig1": "None"})
    wait(arm, 10_000)
    assert arm.poll(stuck) == {"status": "InProgress"}
    assert [(entry["outcome"], entry["error"]) for entry in arm.simulator.ledger()] == [("failed", "Broken"), ("updated", None)]
    reader = Arm(arm.simulator, 1)
    refused = put(reader, WEB, {})
    assert refused[0] == 403 and "Microsoft.Network/loadBalancers/backendAddressPools/write" in refused[2]["error"]["message"]


def test_they_survive_a_restart_and_a_lock_forbids_writes(balanced):
    arm = balanced()
    put(arm, WEB, {"app-0-nic-ipconfig1": "Down"})
    arm.control("POST", "load_balancers/front", {"pool": "web", "remove": ["app-1-nic-ipconfig1"]})
    etag = arm.get(WEB)["etag"]
    arm.simulator.stop()
    again = balanced()
    assert states(again, WEB) == {"app-0-nic-ipconfig1": "Down"} and again.get(WEB)["etag"] == etag
    assert "loadBalancerBackendAddressPools" not in again.get(f"{NETWORK}/networkInterfaces/app-1-nic")["properties"]["ipConfigurations"][0]["properties"]
    wait(again)
    again.simulator.world.fleet.locks.append({"name": "stop", "level": "ReadOnly", "scope": again.get(FRONT)["id"]})
    assert put(again, WEB, {})[2]["error"]["code"] == "ScopeLocked"
    again.control("POST", "reset")
    assert states(again, WEB) == {"app-0-nic-ipconfig1": None, "app-1-nic-ipconfig1": None}


def test_somebody_else_writes_in_between(arm):
    change = {"name": "front", "pool": "web", "admin_state": {"app-1-nic-ipconfig1": "Down"}}
    arm.control("POST", "faults", {"match": {"method": "PUT", "path": "/web"}, "load_balancer": change})
    assert put(arm, WEB, {})[0] == 412 and states(arm, WEB)["app-1-nic-ipconfig1"] == "Down"


@pytest.mark.parametrize(("change", "words"), [
    ({"sku": "Gold"}, "load_balancers[0].sku: 'Gold'"), ({"region": "mars"}, "load_balancers[0].region: no region 'mars'"),
    ({"pools": [{"name": "a", "members": ["nobody"]}]}, "load_balancers[0].pools[0].members[0]: 'nobody' names 0 VMs"),
    ({"pools": [{"name": "a", "members": [{"address": "10.0.0.4"}]}]}, "members of a pool of kind nic are VMs"),
    ({"pools": [{"name": "a", "members": [{"name": "x"}]}]}, "names a vm or an address"),
    ({"sku": "Basic", "pools": [{"name": "a", "members": [{"vm": "calm", "admin_state": "Up"}]}]}, "not with sku Basic")])
def test_mistakes_in_the_fleet_file(change, words):
    data = {**yaml.safe_load(SMALL.read_text(encoding="utf-8")), "load_balancers": [{**copy.deepcopy(BALANCERS[0]), **change}]}
    with pytest.raises(FleetError) as error:
        fleet_file.build(fleet_file.read(data), NOW)
    assert words in str(error.value)
