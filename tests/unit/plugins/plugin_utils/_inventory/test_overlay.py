# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are there already <-> VMs: by id, by name only when nothing else is meant, and never two for one."""

from __future__ import annotations

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, SUBSCRIPTION, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.hosts import spellings
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.overlay import azure_id, check_new, match

ID_VARS = ["azure_vm_id", "id", "resource_id"]


def record(name, group="shop", **fields):
    return vm(name, group=group, **fields).to_record(NOW)


def id_of(name, group="shop"):
    return record(name, group)["id"]


def matched(hosts, *records, names=spellings):
    matches = match(hosts, records, ID_VARS, names)
    return {host: one["id"] for host, one in matches.pairs}, matches


@pytest.mark.parametrize("variables, found", [
    ({"id": id_of("a")}, id_of("a").lower()),
    ({"id": id_of("a").upper().replace("/RESOURCEGROUPS/", "/resourceGroups/")}, id_of("a").lower()),
    ({"azure_vm_id": id_of("a"), "id": id_of("b")}, id_of("a").lower()),
    ({"id": "i-0abc", "resource_id": f" {id_of('a')} "}, id_of("a").lower()),
    ({"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/pool/virtualMachines/3"},
     f"/subscriptions/{SUBSCRIPTION}/resourcegroups/g/providers/microsoft.compute/virtualmachinescalesets/pool/virtualmachines/3"),
    ({"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/disks/d"}, None),
    ({"id": 7, "resource_id": ["x"]}, None), ({"vmid": id_of("a")}, None), ({}, None),
])
def test_the_id_a_host_carries(variables, found):
    assert azure_id("host", variables, ID_VARS) == found


def test_an_id_counts_before_a_name():
    hosts = {"b": {"id": id_of("a")}, "a": {"id": id_of("b")}, "c": {}}
    found, matches = matched(hosts, record("a"), record("b"), record("C"))
    assert found == {"b": id_of("a"), "a": id_of("b"), "c": id_of("C")}
    assert matches.by_id == 2 and matches.hosts_left == 0 and matches.records_left == []


def test_a_host_with_the_id_of_another_vm_is_not_matched_by_name():
    found, matches = matched({"a": {"id": id_of("a", "elsewhere")}, "b": {}}, record("a"), record("b"))
    assert found == {"b": id_of("b")} and matches.hosts_left == 1
    assert [one["id"] for one in matches.records_left] == matches.homeless() == [id_of("a")]
    assert str(matches) == "0 hosts matched by id, 1 by name; 1 hosts without a VM, 1 VMs without a host"


def test_names_with_group_and_subscription():
    twins = record("twin"), record("twin", "shop-ne")
    found, _matches = matched({"twin.shop-NE": {}, f"TWIN.shop.{SUBSCRIPTION}": {}}, *twins)
    assert found == {f"TWIN.shop.{SUBSCRIPTION}": twins[0]["id"], "twin.shop-NE": twins[1]["id"]}


def test_names_of_the_users_own():
    found, matches = matched({"a.example": {}, "a": {}}, record("a"), record("b"), names=lambda one: [f"{one['name']}.example"])
    assert found == {"a.example": id_of("a")} and matches.hosts_left == 1


def test_only_vms_that_may_start_are_homeless():
    _found, matches = matched({"a": {}}, record("a"), record("b", status=None), record("c"))
    assert len(matches.records_left) == 2 and matches.homeless() == [id_of("c")]


@pytest.mark.parametrize("hosts, records, named", [
    ({"twin": {}, "b": {}}, [("twin", "shop"), ("twin", "shop-ne"), ("b", "shop")], [id_of("twin"), id_of("twin", "shop-ne"), "host twin"]),
    ({"x.shop": {}}, [("x", "shop"), ("x.shop", "other")], [id_of("x"), id_of("x.shop", "other")]),
    ({"web": {}, "WEB": {}}, [("web", "shop")], ["web and WEB", id_of("web")]),
    ({"one": {"id": id_of("a")}, "two": {"azure_vm_id": id_of("A")}}, [("a", "shop")], ["one and two", id_of("a")]),
    ({"twin": {}, "other": {"id": id_of("twin")}}, [("twin", "shop"), ("twin", "shop-ne")], [id_of("twin"), id_of("twin", "shop-ne")]),
], ids=["two_vms", "qualified", "two_hosts", "one_id_twice", "one_of_two_is_taken"])
def test_what_could_be_either_is_an_error_that_names_both(hosts, records, named):
    with pytest.raises(OptionsError) as caught:
        matched(hosts, *[record(*one) for one in records])
    assert all(part in str(caught.value) for part in named)


def test_a_machine_that_has_the_name_of_a_vm_with_a_host_is_left_alone():
    found, matches = matched({"cloud": {"id": id_of("a")}, "a": {}}, record("a"))
    assert found == {"cloud": id_of("a")} and matches.hosts_left == 1


@pytest.mark.parametrize("hosts, records, said", [
    ({}, ["a"], "no host is there yet; list this source after"),
    ({"x": {}}, [], "no VM was read for the 1 hosts there; look at subscriptions"),
    ({"x": {}, "y": {}, "z": {}, "w": {}}, ["a"], "none of the 4 hosts there (x, y, z ...) is one of the 1 VMs read (a); list this source after"),
])
def test_no_match_at_all_says_the_likely_cause(hosts, records, said):
    with pytest.raises(OptionsError) as caught:
        matched(hosts, *map(record, records))
    assert said in str(caught.value)


def test_a_new_host_is_not_another_sources_vm():
    there = {"a": {"azure_vm_id": id_of("a", "elsewhere")}, "b": {"id": "i-1"}, "c": {"azure_vm_id": id_of("C")}}
    check_new(there, [("b", record("b")), ("c", record("c")), ("d", record("d"))], ID_VARS)
    with pytest.raises(OptionsError, match="a would be .*/shop/.* but an earlier source has it as .*/elsewhere/"):
        check_new(there, [("a", record("a"))], ID_VARS)
