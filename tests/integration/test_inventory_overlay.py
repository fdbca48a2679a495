# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mixed inventory on the command line: hosts of a static file, described and grouped by an overlay."""

from __future__ import annotations

from typing import Any

import pytest
from integration.cli import Project
from integration.cloud import NET, Cloud

STATIC, OVERLAY = "inventory/10-hosts.yml", "inventory/50-overlay.azure_maintenance.yml"
DUE = {"WEB-1", "web-2", "by-id", "solo-1"}


def vm_id(name: str, group: str = "SHOP") -> str:
    """An id in the letter case of some list."""
    return f"/subscriptions/A1000000-0000-4000-8000-000000000001/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


HOSTS: dict[str, Any] = {
    "WEB-1": {"ansible_host": "web-1.corp.example.com", "azure_tags": "of the user's own"}, "web-2": {}, "by-id": {"id": vm_id("web-3")},
    "solo-1": {"azure_vm_id": vm_id("SOLO-1")}, "web-4": {"id": vm_id("web-4", "elsewhere")}, "late-1": {}, "twin.shop-ne": {}, "switch-1": {"id": 7},
}


@pytest.fixture
def mixed(arm_project: Project) -> Project:
    """A folder `inventory` with a static file and an overlay behind it."""
    arm_project.write(STATIC, {"all": {"hosts": HOSTS, "vars": {"ansible_connection": "local"}}})
    arm_project.inventory_file(OVERLAY, overlay=True)
    return arm_project


def test_hosts_variables_and_groups(arm: Cloud, mixed: Project) -> None:
    groups, hosts = mixed.hosts("inventory")
    assert set(hosts) == set(HOSTS), "an overlay adds no host"
    assert set(groups["maintenance_due"]["hosts"]) == DUE and groups["maintenance_upcoming"]["hosts"] == ["late-1"]
    assert groups["update_domain_shop_web_2"]["hosts"] == ["by-id"] and groups["region_northeurope"]["hosts"] == ["twin.shop-ne"]
    web = hosts["WEB-1"]
    assert web["ansible_host"] == "web-1.corp.example.com" and web["azure_vm_name"] == "web-1" and web["azure_update_domain"] == 0
    assert web["azure_tags"] == {"role": "web", "tier": "2"}
    assert "ansible_host" not in hosts["web-2"] and hosts["by-id"]["azure_vm_name"] == "web-3"
    assert not [name for host in ("web-4", "switch-1") for name in hosts[host] if name.startswith("azure_") and not name.startswith("azure_maintenance_")]
    assert web["azure_maintenance_vms_without_host"] == len(arm.sim.fleet.vms) - 6
    assert not arm.writes()


def test_what_the_user_sees(mixed: Project) -> None:
    graph = mixed.inventory("--graph", "-v", source="inventory")
    assert graph.rc == 0 and "@maintenance_due:" in graph.out and "|--switch-1" in graph.out
    assert "overlay: 2 hosts matched by id, 4 by name; 2 hosts without a VM" in graph.text
    assert "overlay: 2 VMs that may be redeployed now have no host in this inventory, such as /subscriptions/" in graph.text


def test_a_play_on_what_is_due(mixed: Project) -> None:
    mixed.write("due.yml", [{"name": "Who is due", "hosts": "maintenance_due", "gather_facts": False, "tasks": [
        {"name": "Show the window", "ansible.builtin.debug": {
            "msg": "{{ azure_vm_name }} until {{ azure_self_service_window.end }} as of {{ azure_maintenance_read_at }}"}}]}])
    run = mixed.run("ansible-playbook", "-i", "inventory", "due.yml")
    assert run.rc == 0 and set(run.recap()) == DUE
    assert run.text.count(" until 20") == len(DUE) and "web-3 until 20" in run.text


def test_only_what_is_affected_is_described(mixed: Project) -> None:
    mixed.inventory_file(OVERLAY, overlay=True, only_affected=True, query="tags.role != 'solo'", default_groups=["maintenance_state"])
    groups, hosts = mixed.hosts("inventory")
    assert set(hosts) == set(HOSTS)
    assert {name for name, variables in hosts.items() if "azure_vm_name" in variables} == {"WEB-1", "web-2", "by-id", "late-1"}
    assert set(groups) == {"all", "ungrouped", "maintenance_startable", "maintenance_upcoming"}


def test_expressions_see_the_hosts_own_variables(mixed: Project) -> None:
    mixed.write("inventory/20-more.yml", {"all": {"hosts": {"web-2": {"rack": "r1"}}}})
    mixed.inventory_file(OVERLAY, overlay=True, compose={"label": "rack ~ '/' ~ azure_vm_name"}, groups={"racked": "label is defined"},
                         keyed_groups=[{"key": "rack", "prefix": "rack"}])
    groups, hosts = mixed.hosts("inventory")
    assert hosts["web-2"]["label"] == "r1/web-2" and groups["racked"]["hosts"] == groups["rack_r1"]["hosts"] == ["web-2"]


def test_names_that_expressions_give(mixed: Project) -> None:
    mixed.write(STATIC, {"all": {"hosts": {f"{NET}.11": {}, "web-2": {}}}})
    mixed.inventory_file(OVERLAY, overlay=True, hostnames=["addresses.private[0]"])
    hosts = mixed.hosts("inventory")[1]
    assert hosts[f"{NET}.11"]["azure_vm_name"] == "web-1" and "azure_vm_name" not in hosts["web-2"]


@pytest.mark.parametrize(("hosts", "said"), [
    ({"twin": {}, "web-1": {}}, "host twin could be /subscriptions/"),
    ({"web-1": {}, "WEB-1": {}}, "hosts web-1 and WEB-1 could both be"),
    ({"one": {"id": vm_id("web-1")}, "two": {"resource_id": vm_id("WEB-1")}}, "hosts one and two both carry the id"),
    ({"x": {}}, "none of the 1 hosts there (x) is one of the"),
], ids=["two_vms", "two_hosts", "one_id", "none"])
def test_doubt_stops_the_run(mixed: Project, hosts: dict[str, Any], said: str) -> None:
    mixed.write(STATIC, {"all": {"hosts": hosts}})
    run = mixed.inventory("--graph", source="inventory")
    assert run.rc != 0 and said in run.text and "Traceback" not in run.text


def test_a_misordered_overlay_says_so(mixed: Project) -> None:
    run = mixed.inventory("--graph", source=[OVERLAY, STATIC])
    assert run.rc != 0
    assert "overlay: no host is there yet; list this source after the one that adds the hosts" in run.text
    assert mixed.inventory("--graph", source=[STATIC, OVERLAY]).rc == 0


def test_a_warm_cache_asks_nothing(arm: Cloud, mixed: Project) -> None:
    mixed.inventory_file(OVERLAY, overlay=True, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(mixed.folder / "cache"))
    cold = mixed.hosts("inventory")
    asked = len(arm.sim.requests())
    mixed.write(STATIC, {"all": {"hosts": {**HOSTS, "ne-1": {}}, "vars": {"ansible_connection": "local"}}})
    groups, hosts = mixed.hosts("inventory")
    assert len(arm.sim.requests()) == asked, "hosts are matched anew, from what is kept"
    assert set(groups["maintenance_due"]["hosts"]) == DUE | {"ne-1"} and set(hosts) == {*cold[1], "ne-1"}
