# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory source on the command line, alone and against a healthy Azure: hosts, variables, groups, filters, cache."""

from __future__ import annotations

import re

import pytest
from integration.cli import Project
from integration.cloud import ALL, NET, Cloud

EVERYONE = {*ALL, "lb-1", "old-1", "late-1", "gave-up-1", "done-1", "twin.shop", "twin.shop-ne"}


def members(groups: dict, name: str) -> set[str]:
    return set(groups[name]["hosts"])


def test_hosts_groups_and_variables(arm: Cloud, arm_project: Project) -> None:
    groups, hosts = arm_project.hosts()
    assert {name.lower() for name in hosts} == EVERYONE
    assert members(groups, "maintenance_startable") == members(groups, "maintenance_due") == set(ALL)
    assert {name: members(groups, f"maintenance_{name}") for name in ("upcoming", "skipped", "done", "not_hosted")} == {
        "upcoming": {"late-1"}, "skipped": {"gave-up-1"}, "done": {"done-1"}, "not_hosted": {"old-1"}
    }
    assert members(groups, "update_domain_shop_web_0") == {"web-1", "web-4"}
    assert members(groups, "availability_set_shop_web") == {"web-1", "web-2", "web-3", "web-4"}
    assert "ne-1" in members(groups, "region_northeurope")
    windows = {name: members(groups, name) for name in groups if name.startswith("maintenance_window_")}
    assert all(re.fullmatch(r"maintenance_window_\d{8}T\d{4}Z", name) for name in windows)
    assert {"late-1"} in windows.values() and {*ALL, "gave-up-1", "done-1"} in windows.values()
    web = hosts["web-4"]
    assert web["azure_update_domain"] == 0 and web["azure_maintenance_state"] == "startable" and web["ansible_host"] == f"{NET}.14"
    assert web["azure_hazards"] == ["temp_disk"] and web["azure_tags"] == {"role": "web", "tier": "2"}
    assert web["azure_vm_id"].lower().endswith("/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web-4")
    assert hosts["solo-1"]["ansible_host"] == f"{NET}.131" and hosts["solo-1"]["azure_update_domain"] is None
    assert "azure_vm" not in web and "azure_self_service_window" not in hosts["lb-1"]
    graph = arm_project.inventory("--graph").out
    assert "@update_domain_shop_web_0:" in graph and graph.count("|--web-1") >= 5
    assert arm.methods() == {"GET"} and not arm.writes()


@pytest.mark.parametrize(("options", "expected"), [
    ({"only_affected": True}, {*ALL, "late-1", "gave-up-1", "done-1"}),
    ({"query": "maintenance.state == 'startable' && tags.tier == '1'"}, {"solo-1", "ne-1"}),
    ({"query": "update_domain == `0`"}, {"web-1", "web-4"}),
    ({"resource_groups": ["SHOP-NE"]}, {"ne-1", "twin"}),
    ({"exclude_resource_groups": ["Shop"]}, {"ne-1", "twin"}),
    ({"hostnames": ["tags.role && join('-', [tags.role, name])", "id"], "query": "tags.tier == '1'"}, {"solo-solo-1", "db-ne-1"}),
], ids=["only_affected", "query", "update_domain", "resource_groups", "exclude_resource_groups", "hostnames"])
def test_fewer_hosts_or_other_names(arm_project: Project, options: dict, expected: set[str]) -> None:
    assert set(arm_project.hosts(arm_project.inventory_file(**options))[1]) == expected


def test_groups_of_the_users_own_beside_chosen_default_ones(arm_project: Project) -> None:
    source = arm_project.inventory_file(
        default_groups=["maintenance_due", "region"], hostvars_record=True, compose={"deadline": "azure_self_service_window.end"},
        keyed_groups=[{"key": "azure_update_domain | string", "prefix": "domain"}, {"key": "azure_tags.tier", "prefix": "tier"}],
        groups={"with_deadline": "deadline is defined"}, query="tags.tier || name == 'lb-1'",
    )
    groups, hosts = arm_project.hosts(source)
    assert set(groups) - {"all", "ungrouped"} == {
        "maintenance_due", "region_westeurope", "region_northeurope", "domain_0", "domain_1", "domain_2", "domain_None", "tier_1", "tier_2",
        "with_deadline",
    }
    assert members(groups, "domain_0") == {"web-1", "web-4"} and members(groups, "with_deadline") == set(ALL)
    assert hosts["web-1"]["azure_vm"]["maintenance"]["state"] == "startable"
    assert hosts["web-1"]["deadline"] == hosts["web-1"]["azure_vm"]["maintenance"]["self_service_window"]["end"]
    assert set(arm_project.hosts(arm_project.inventory_file(default_groups=False))[0]) <= {"all", "ungrouped"}


def test_the_group_all_says_how_old_and_complete_it_is(arm: Cloud, arm_project: Project) -> None:
    hosts = arm_project.hosts()[1]
    assert {(one["azure_maintenance_read_at"], str(one["azure_maintenance_left_out"])) for one in hosts.values()} == {
        (hosts["web-1"]["azure_maintenance_read_at"], "[]")}
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", hosts["web-1"]["azure_maintenance_read_at"])


def test_the_order_of_hosts_is_that_of_their_ids(arm_project: Project) -> None:
    first, second = arm_project.hosts()[0], arm_project.hosts()[0]
    assert first == second
    by_id = sorted({*ALL, "lb-1", "old-1", "late-1", "gave-up-1", "done-1", "twin.shop"} - {"ne-1"})
    assert first["region_westeurope"]["hosts"] == by_id


def test_two_files_never_make_one_host_of_two_vms(arm_project: Project) -> None:
    one, other = (arm_project.inventory_file(f"{group}.azure_maintenance.yml", resource_groups=[group]) for group in ("shop", "shop-ne"))
    run = arm_project.inventory("--graph", source=[one, other])
    assert run.rc != 0 and "twin would be" in run.text and "but an earlier source has it as" in run.text
    again = arm_project.inventory("--graph", source=[one, one])
    assert again.rc == 0, again.text


def test_a_failing_expression_leaves_no_part_of_the_fleet(arm_project: Project) -> None:
    source = arm_project.inventory_file(compose={"tier": "azure_tags.tier"}, strict=True)
    run = arm_project.inventory("--list", source=source, env={"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"})
    assert run.rc == 0 and "Could not set tier for host" in run.text
    assert run.json()["_meta"]["hostvars"] == {}
    assert arm_project.inventory("--list", source=source).rc != 0


def test_a_cache_answers_only_what_it_was_asked(arm: Cloud, arm_project: Project) -> None:
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(arm_project.folder / "cache")}
    arm_project.inventory_file(resource_groups=["shop"], **cached)
    assert "ne-1" not in arm_project.hosts()[1]
    asked = len(arm.sim.requests())
    arm_project.inventory_file(resource_groups=["shop"], query="name == 'web-1'", hostnames=["tags.role"], hostvars_record=True, **cached)
    [host] = arm_project.hosts()[1].values()
    assert host["azure_vm"]["maintenance"]["seconds_left"] > 0 and len(arm.sim.requests()) == asked, "made of what is kept"
    arm_project.inventory_file(**cached)
    assert "ne-1" in arm_project.hosts()[1] and len(arm.sim.requests()) > asked


def test_a_warm_cache_asks_nothing(arm: Cloud, arm_project: Project) -> None:
    arm_project.inventory_file(cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=str(arm_project.folder / "cache"))
    cold = arm_project.hosts()
    asked = len(arm.sim.requests())
    assert asked > 5
    assert arm_project.hosts() == cold
    assert len(arm.sim.requests()) == asked
    assert arm_project.inventory("--list", "--flush-cache").rc == 0
    assert len(arm.sim.requests()) > asked
