# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records -> host names, variables and groups: two VMs never share a name, two sets never share a group."""

from __future__ import annotations

import re

import pytest
from unit.plugins.module_utils.rollout_fleet import NOW, SUBSCRIPTION, status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import OptionsError
from ansible_collections.fleetops.azure_maintenance.plugins.plugin_utils._inventory.hosts import (
    GROUP_FAMILIES, Grouper, address, families_of, host_names, host_vars, safe,
)
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Addresses

OTHER = "99999999-2222-3333-4444-555555555555"


def record(name="a", in_set=None, domain=None, group="shop", subscription=SUBSCRIPTION, **fields):
    made = vm(name, in_set, domain, group=group, **fields).to_record(NOW)
    swap = {key: made[key].replace(SUBSCRIPTION, subscription) for key in ("id", "subscription_id", "availability_set", "scale_set") if made[key]}
    return {**made, **swap}


@pytest.mark.parametrize("vms, names", [
    ([("a", "g", SUBSCRIPTION), ("b", "g", SUBSCRIPTION)], ["a", "b"]),
    ([("a", "g", SUBSCRIPTION), ("a", "h", SUBSCRIPTION), ("b", "g", OTHER)], ["a.g", "a.h", "b"]),
    ([("a", "g", SUBSCRIPTION), ("A", "G", OTHER)], [f"a.g.{SUBSCRIPTION}", f"A.g.{OTHER}"]),
    ([("a", "g", SUBSCRIPTION), ("a", "g", OTHER), ("a", "h", OTHER)], [f"a.g.{SUBSCRIPTION}", f"a.g.{OTHER}", "a.h"]),
    ([("a.g", "x", SUBSCRIPTION), ("a", "g", SUBSCRIPTION), ("a", "h", SUBSCRIPTION)], ["a.g.x", f"a.g.{SUBSCRIPTION}", "a.h"]),
    ([("localhost", "g", SUBSCRIPTION), ("ALL", "g", SUBSCRIPTION), ("all.g", "h", SUBSCRIPTION)],
     ["localhost.g", f"ALL.g.{SUBSCRIPTION}", "all.g.h"]),
    ([], [])])
def test_host_names(vms, names):
    found = host_names([record(name, group=group, subscription=subscription) for name, group, subscription in vms])
    assert found == names and len({name.lower() for name in found}) == len(found)


@pytest.mark.parametrize("name, said", [
    (None, "hostnames gives no name for"), ("localhost", "cannot be the name of a host"), ("ungrouped", "cannot be"), ("a,b", "cannot be"),
    ("a b", "cannot be"), ("!a", "cannot be"), ("", "cannot be"), ("web[1]", "cannot be"), ("same", "to both")])
def test_names_of_the_users_own_are_checked(name, said):
    with pytest.raises(OptionsError, match=said):
        host_names([record("a"), record("b")], lambda one: name)
    assert host_names([record("a"), record("b")], lambda one: f"{one['name']}.example") == ["a.example", "b.example"]


def test_the_whole_record_and_an_address():
    one = record(addresses=Addresses(("10.0.0.4",), ("20.0.0.1",)))
    lean = host_vars(one)
    assert "ansible_host" not in lean and "azure_vm" not in lean
    assert host_vars(one, ["public", "private"], whole=True) == {**lean, "ansible_host": "20.0.0.1", "azure_vm": one}


def test_lean_variables():
    values = host_vars(record("a", "web", 0, tags={"tier": "1"}, fault_domain=1, hazards=["temp_disk"]))
    assert values["azure_update_domain"] == 0 and values["azure_availability_set"] == "web" and values["azure_scale_set"] is None
    assert values["azure_maintenance_state"] == "startable" and values["azure_hazards"] == ["temp_disk"] and values["azure_tags"] == {"tier": "1"}
    assert values["azure_self_service_window"]["start"] == "2026-03-05T12:00:00Z"
    assert {"azure_vm_id", "azure_vm_name", "azure_resource_group", "azure_subscription_id", "azure_location", "azure_zone", "azure_fault_domain",
            "azure_power_state", "azure_scheduled_window"} <= set(values)
    without = host_vars(record(status=None))
    assert "azure_self_service_window" not in without and "azure_scheduled_window" not in without and without["azure_update_domain"] is None


@pytest.mark.parametrize("preference, found", [
    (["private", "public"], "10.0.0.4"), (["public"], "20.0.0.1"), (["fqdn", "private"], "a.example"), ([], None)])
def test_the_address_by_preference(preference, found):
    assert address(record(addresses=Addresses(("10.0.0.4", "10.0.0.5"), ("20.0.0.1",), ("a.example",))), preference) == found
    assert address(record(), preference) is None


def groups(*records, families=GROUP_FAMILIES):
    grouper = Grouper(records, families)
    return [grouper.groups(one) for one in records]


def test_the_groups_of_a_member():
    assert groups(record("a", "web", 0)) == [[
        "maintenance_startable", "maintenance_due", "maintenance_window_20260305T1200Z", "scheduled_window_20260405T1200Z",
        "availability_set_shop_web", "update_domain_shop_web_0", "region_westeurope"]]


def test_the_groups_of_others():
    assert groups(record(status=None, location="brazilsouth")) == [["maintenance_not_scheduled", "region_brazilsouth"]]
    done = record(status=status(allowed=False, code="MaintenanceCompleted"))
    assert groups(done, families=["maintenance_state", "maintenance_due"]) == [["maintenance_done"]]
    assert groups(done, families=[]) == [[]]
    scale_set = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/pool"
    assert groups(record(scale_set=scale_set), families=["scale_set", "update_domain"]) == [["scale_set_shop_pool"]]


def only(*records):
    return [found[0] for found in groups(*records, families=["availability_set"])]


def test_sets_of_one_name_never_share_a_group():
    assert only(record("a", "web"), record("b", "web")) == ["availability_set_shop_web"] * 2
    assert only(record("a", "web"), record("b", "WEB", group="SHOP")) == ["availability_set_shop_web"] * 2, "one set in two spellings"
    across = only(record("a", "web"), record("b", "web", subscription=OTHER), record("c", "api"))
    assert across == [f"availability_set_{safe(SUBSCRIPTION)}_shop_web", f"availability_set_{safe(OTHER)}_shop_web", "availability_set_shop_api"]


@pytest.mark.parametrize("first, second", [(("a-b", "g"), ("a_b", "g")), (("c", "a_b"), ("b_c", "a")), (("a.b", "g"), ("a b", "g"))])
def test_names_that_only_differ_in_unsafe_letters_do_not_share_a_group(first, second):
    found = only(record("a", first[0], group=first[1]), record("b", second[0], group=second[1]))
    assert len(set(found)) == 2 and all(re.fullmatch(r"[a-z0-9_]+", name) for name in found)
    assert only(record("b", second[0], group=second[1]), record("a", first[0], group=first[1])) == found[::-1], "whatever the order"


POOL = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"


def test_update_domains_of_a_zoned_scale_set_are_those_of_a_zone():
    records = [record(f"web_{at}", None, domain, scale_set=POOL, instance_id=str(at), zone=zone)
               for at, (zone, domain) in enumerate([("1", 0), ("2", 0), ("1", 1), (None, 0)])]
    assert [found[0] for found in groups(*records, families=["update_domain"])] == [
        "update_domain_shop_web_zone1_0", "update_domain_shop_web_zone2_0", "update_domain_shop_web_zone1_1", "update_domain_shop_web_0"]


def test_an_availability_set_and_a_scale_set_of_one_name_keep_apart():
    both = groups(record("a", "web", 0), record("web_0", None, 0, scale_set=POOL, instance_id="0"),
                  families=["availability_set", "scale_set", "update_domain"])
    assert (both[0][0], both[1][0]) == ("availability_set_shop_web", "scale_set_shop_web")
    assert both[0][1] != both[1][1] and all(re.fullmatch(r"update_domain_[a-z0-9_]+_0_[0-9a-f]{8}", found[1]) for found in both)


def test_a_set_that_is_called_like_a_zone_of_another():
    found = groups(record("web_0", None, 0, scale_set=POOL, instance_id="0", zone="1"), record("b", "web_zone1", 0), families=["update_domain"])
    assert found[0] != found[1]


def test_the_choice_of_families():
    assert families_of(True) == GROUP_FAMILIES and families_of(False) == () and families_of(["region"]) == ["region"]
    for wrong in ("region", ["region", "regions"], {"region": True}):
        with pytest.raises(OptionsError, match="default_groups .* is unknown; use true, false, or a list of maintenance_state,"):
            families_of(wrong)


def test_an_update_domain_belongs_to_one_set():
    records = [record("a", "web", 0), record("b", "web", 0, subscription=OTHER), record("c", "web-1", 0), record("d", "web", 1)]
    found = [one[0] for one in groups(*records, families=["update_domain"])]
    assert len(set(found)) == 4


def test_safe_group_names():
    assert safe("Shop-NE.1 ü") == "shop_ne_1__"
