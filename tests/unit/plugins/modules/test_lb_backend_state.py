# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lb_backend_state in this process: which members it finds, what it writes and nothing else, restoring, errors that say what to do."""

from __future__ import annotations

import pytest
import yaml
from unit.plugins.balanced import BLUE, MINE, POOL, WEB, brief, change, cloud, execute, writes  # noqa: F401  # pylint: disable=unused-import
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.modules import lb_backend_info, lb_backend_state


def test_both_kinds_of_pool_are_found_and_only_this_vm_is_taken_out(cloud, execute):
    before = change(cloud)
    code, result = execute()
    assert code == 0 and result["changed"] and set(yaml.safe_load(lb_backend_state.RETURN)) == set(result) - {"changed", "invocation"}
    assert brief(result["previous"]) == {("web", MINE): "none", ("blue", MINE): "up"} and set(brief(result["members"]).values()) == {"down"}
    assert {entry["ip"] for entry in result["previous"]} == {"10.1.0.4"}, "pools of interfaces do not show it, the interface does"
    assert writes(cloud) == [("web", {MINE: ("None", "Down")}), ("blue", {MINE: ("Up", "Down")})]
    assert change(cloud) == {pool: {**states, MINE: "Down"} for pool, states in before.items()}
    assert cloud.clock.seconds >= 14, "each write was waited for"
    code, again = execute(vm=cloud.id("web-0a").upper().replace("RESOURCEGROUPS", "resourcegroups"))
    assert code == 0 and not again["changed"] and again["previous"] == [] and len(writes(cloud)) == 2
    code, back = execute(None, restore=result["previous"])
    assert code == 0 and back["changed"] and back["left"] == [] and change(cloud) == before
    assert not execute(None, restore=result["previous"])[1]["changed"] and len(writes(cloud)) == 4


def test_check_mode_and_reading_write_nothing_and_tell_what_would_be_changed(cloud, execute):
    code, result = execute(check=True, diff=True)
    assert code == 0 and result["changed"] and brief(result["previous"]) == {("web", MINE): "none", ("blue", MINE): "up"}
    assert brief(result["members"]) == brief(result["previous"])
    assert result["diff"] == {"before": f"{WEB}/{MINE}: none\n{BLUE}/{MINE}: up\n",
                              "after": f"{WEB}/{MINE}: down\n{BLUE}/{MINE}: down\n"}
    code, seen = execute(None, module=lb_backend_info)
    assert code == 0 and set(yaml.safe_load(lb_backend_info.RETURN)) == set(seen) - {"changed", "invocation"}
    assert not seen["changed"] and seen["members"] == result["members"]
    assert set(seen["pools"]) == {WEB, BLUE} and seen["pools"][WEB] == {MINE: "none", "web-1-nic-ipconfig1": "none"}, "members of other VMs, too"
    assert not execute(None, module=lb_backend_info, vm="flex-a")[1]["members"]
    assert execute(None, module=lb_backend_info, addresses=["10.1.0.6"], subscription_id=SUBSCRIPTION)[1]["members"]
    code, refused = execute(None, module=lb_backend_info, load_balancers=["frnt"])
    assert code == 1 and "there are: bare, basic, crowd, front, inner" in refused["msg"] and refused["failure"]["doing"] == "use the options"
    code, refused = execute("query")
    assert code == 1 and "must be one of: down, none, up" in refused["msg"]
    change(cloud, pool="web", admin_state={MINE: "Down"})
    dummy, restored = execute(None, restore=[{**result["previous"][0], "admin_state": "up"}], check=True, diff=True)
    assert restored["changed"] and restored["diff"]["after"].endswith(": up\n") and cloud.simulator.ledger() == []


def test_what_somebody_else_took_out_is_not_recorded(cloud, execute):
    change(cloud, pool="web", admin_state={MINE: "Down"})
    code, result = execute()
    assert code == 0 and brief(result["previous"]) == {("blue", MINE): "up"} and len(result["members"]) == 2
    execute(None, restore=result["previous"])
    assert change(cloud)["web"][MINE] == "Down" and change(cloud)["blue"][MINE] == "Up"


@pytest.mark.parametrize(("params", "pools"), [
    ({"pools": [BLUE.upper().replace("/SUBSCRIPTIONS", "/subscriptions")]}, ["BLUE"]), ({"load_balancers": ["FRONT"], "vm": "web-1"}, ["web", "blue"]),
    ({"load_balancers": [f"{POOL}/inner"], "vm": "web-1"}, ["all"]), ({"vm": "web-1"}, ["web", "blue", "all"]),
    ({"addresses": ["10.1.0.7"], "pools": [f"{POOL}/inner/backendAddressPools/all"]}, ["all"]),
    ({"addresses": ["10.1.0.6"], "subscription_id": SUBSCRIPTION}, ["blue", "all"]),
    ({"vm": "pool_3"}, ["all", "set"])])
def test_which_pools_are_meant(cloud, execute, params, pools):
    code, result = execute(**params)
    assert code == 0 and [entry["pool"].rpartition("/")[2] for entry in result["previous"]] == pools, result
    assert change(cloud)["blue"]["stranger"] == "None", "the same address in another virtual network is somebody else"
    assert all(list(states.values()).count("Down") <= 1 for states in change(cloud).values())


@pytest.mark.parametrize(("params", "words"), [
    ({"vm": "solo"}, "the load balancer basic has the SKU Basic"), ({"vm": "pool_2"}, "the rule naked of the load balancer bare has no health probe"),
    ({"vm": "flex-a"}, "the VM is in no backend pool of an Azure load balancer"), ({"pools": [f"{WEB}x"]}, "has no backend pool webx; it has web, blue"),
    ({"pools": [WEB.replace("front", "none")]}, "there is no load balancer"), ({"pools": ["web"]}, "'web' is not the id of a backend pool"),
    ({"load_balancers": ["frnt"]}, "there are: bare, basic, crowd, front, inner"),
    ({"load_balancers": ["inner"]}, "in no backend pool of the load balancer inner"),
    ({"load_balancers": ["/x/y"]}, "'/x/y' is not the id of a load balancer"),
    ({"vm": "web-1", "pools": [f"{POOL}/basic/backendAddressPools/old"]}, "not in the"),
    ({"vm": "web-9"}, "ResourceNotFound"), ({"vm": "/x"}, "is not an Azure resource id"), ({"timeout": 0}, "timeout 0 must be at least 1 second"),
    ({"addresses": ["10.1.0.4"]}, "no subscription is named"), ({"credential": 2}, "Microsoft.Network/loadBalancers/backendAddressPools/write"),
    ({"state": None}, "one of the following is required: state, restore"),
    ({"state": None, "restore": [{"pool": WEB, "name": MINE}]}, "an entry of restore has no admin_state")])
def test_errors_that_say_what_to_do(cloud, execute, params, words):
    code, result = execute(**params)
    assert code == 1 and words in result["msg"] and writes(cloud) == [], result


@pytest.mark.parametrize(("path", "method", "fault", "words"), [
    ("/backendAddressPools/", "PUT", {"status": 409, "code": "ScopeLocked"}, "remove the lock"),
    ("/backendAddressPools/", "PUT", {"status": 403, "code": "LinkedAuthorizationFailed",
                                      "message": "may not Microsoft.Network/virtualNetworks/joinLoadBalancer/action"},
     "joinLoadBalancer/action; give the identity the action Microsoft.Network/loadBalancers/backendAddressPools/write"),
    ("/backendAddressPools/", "GET", {"status": 403}, "the action Microsoft.Network/loadBalancers/backendAddressPools/read"),
    (r"/providers/Microsoft.Network/loadBalancers\?", "GET", {"status": 403}, "the action Microsoft.Network/loadBalancers/read"),
    ("/loadBalancers/front", "GET", {"status": 403}, "give the identity the action Microsoft.Network/loadBalancers/"),
    ("/backendAddressPools/", "PUT", {"status": 400, "code": "Odd", "message": "It is odd."}, "HTTP 400 Odd: It is odd.")])
def test_what_azure_refuses(cloud, execute, path, method, fault, words):
    cloud.fault(path, method, count=0, **fault)
    code, result = execute()
    assert code == 1 and words in result["msg"] and result["failure"]["status"] == fault["status"] and writes(cloud) == [] and not result["previous"]


def test_pools_of_a_vm_that_azure_does_not_list_there(cloud, execute):
    body = cloud.arm().get(WEB, "2025-05-01", "read")
    body["properties"]["loadBalancerBackendAddresses"] = []
    cloud.fault("/backendAddressPools/web", "GET", count=0, body=body)
    code, result = execute(pools=[WEB])
    assert code == 1 and "lists no address of the VM, so that it has no adminState there" in result["msg"] and writes(cloud) == []
