# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud with load balancers, and the modules lb_backend_state and lb_backend_info run on it in this process: fixtures and what the tests ask and change."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from unit.plugins.cloud import POOLS, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.modules import lb_backend_info, lb_backend_state

HOME = {"resource_group": "Shop", "region": "westeurope"}
BALANCERS = [
    {**HOME, "name": "front", "writes": [{"after_seconds": 7}], "pools": [
        {"name": "web", "members": ["web-0a", "web-1"]},
        {"name": "blue", "kind": "ip", "members": ["web-1", {"vm": "web-0a", "admin_state": "Up"},
                                                   {"address": "10.1.0.4", "network": "elsewhere", "name": "stranger"}]}]},
    {**HOME, "name": "inner", "pools": [{"name": "all", "kind": "ip", "members": ["web-1", "solo"]}]},
    {**HOME, "name": "basic", "sku": "Basic", "pools": [{"name": "old", "members": ["solo"]}]},
    {**HOME, "name": "crowd", "writes": [{"after_seconds": 0.3}], "pools": [{"name": "all", "members": [f"pool_{number}" for number in range(5)]}]},
    {**HOME, "name": "bare", "pools": [{"name": "naked", "probe": False, "members": ["pool_2"]}, {"name": "set", "members": ["pool_3"]}]},
]
BALANCED = {**POOLS, "load_balancers": BALANCERS}
POOL = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop/providers/Microsoft.Network/loadBalancers"
WEB, BLUE = f"{POOL}/front/backendAddressPools/web", f"{POOL}/front/backendAddressPools/blue"
MINE = "web-0a-nic-ipconfig1"


@pytest.fixture
def cloud(cloud_of, monkeypatch):
    """A cloud with load balancers."""
    cloud = cloud_of(BALANCED)
    for module in (lb_backend_state, lb_backend_info):
        monkeypatch.setattr(module, "CLOCK", lambda: cloud.clock)
    return cloud


@pytest.fixture
def execute(cloud, capsys):
    """Run the module for a VM by name, web-0a unless something else is said: (exit code, result)."""

    def run(state="down", vm="web-0a", *, module=lb_backend_state, credential=0, check=False, diff=False, **params):
        given = {} if params.keys() & {"addresses", "members", "restore"} else {"vm": vm if "/" in vm else cloud.id(vm)}
        given |= {"state": state, **cloud.options(credential), **params}
        given = {name: value for name, value in given.items() if value is not None}
        with patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": diff}), pytest.raises(SystemExit) as ended:
            module.main()
        return ended.value.code, json.loads(capsys.readouterr().out)

    return run


def change(cloud, name="front", **what):
    """What somebody else does to a load balancer."""
    with cloud.simulator.world.lock:
        return cloud.simulator.control.patch_balancer(name, what)["pools"]


def meanwhile(cloud, *, nth=1, count=1, name="front", **what):
    """What somebody else does right before a write arrives."""
    cloud.fault("/backendAddressPools/", "PUT", nth=nth, count=count, load_balancer={"name": name, **what})


def writes(cloud):
    """Accepted writes: pool, and the members whose adminState they changed."""
    return [(e["name"], {name: (e["before"][name], state) for name, state in e["after"].items() if e["before"].get(name) != state})
            for e in cloud.simulator.ledger() if e["outcome"] != "refused"]


def brief(entries):
    return {(entry["pool"].rpartition("/")[2], entry["name"]): entry["admin_state"] for entry in entries}
