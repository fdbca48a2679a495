# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading whole subscriptions: the same records by every way, complete or an error that names what is missing."""

from __future__ import annotations

import dataclasses
import time

import pytest
from simulator.views.network import nic
from unit.plugins.cloud import OTHER, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.client import Arm
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._arm.credentials import Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import Addresses
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import AzureError, IncompleteFleet, OptionsError, SignInError
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet

BOTH = Selection(subscriptions=[SUBSCRIPTION, OTHER])
NAMES = ["calm", "disk", "duo", "far", "solo", "web-0a", "web-0b", "web-1"]
LISTS = 7  # models, status, network interfaces, scale sets, availability sets, resources, public addresses
LOCATIONS = 1


def names(fleet):
    return sorted(vm.name for vm in fleet.vms)


def records(fleet):
    """Without what may differ: letter case of ids, and the seconds that pass."""
    made = [vm.to_record(fleet.now) for vm in fleet.vms]
    return [{**record, "id": record["id"].lower(), "resource_group": record["resource_group"].lower(),
             "maintenance": {**record["maintenance"], "seconds_left": None}} for record in made]


@pytest.fixture
def expected(cloud):
    """The fleet when nothing is in the way."""
    fleet = read_fleet(cloud.arm(), BOTH)
    cloud.simulator.world.requests.clear()
    return fleet


@pytest.mark.parametrize("shape, read", [("full", 0), ("lean", 8), ("minimal", 8)])
def test_every_shape_of_the_status_list_gives_the_same(cloud, expected, shape, read):
    cloud.simulator.fleet.status_only = shape
    fleet = read_fleet(cloud.arm(), BOTH)
    assert records(fleet) == records(expected) and names(fleet) == NAMES
    assert len(cloud.requests()) == 2 * LISTS + LOCATIONS + read
    assert len(cloud.requests(having="/instanceView?")) == read
    assert (fleet.counts["views_listed"], fleet.counts["views_read"]) == (8 - read, read)
    assert fleet.counts["vms"] == 8 and fleet.counts["subscriptions"] == 2 and fleet.gone == []


def test_a_list_without_any_block_proves_nothing(cloud):
    """Nobody in a wave looks like a list that leaves the blocks out: then each view is read."""
    for name in NAMES:
        cloud.change(name, wave=None)
    fleet = read_fleet(cloud.arm(), BOTH)
    assert fleet.counts["views_read"] == 8 and {vm.status for vm in fleet.vms} == {None}


def test_a_member_of_a_set_needs_its_update_domain(cloud, expected):
    body = {"value": [cloud.simulator.world.view.status_only(vm) for vm in cloud.simulator.fleet.vms.values() if vm.subscription == SUBSCRIPTION]}
    for item in body["value"]:
        item["properties"]["instanceView"].pop("platformUpdateDomain", None)
    cloud.fault(f"{SUBSCRIPTION}.*statusOnly", body=body)
    fleet = read_fleet(cloud.arm(), BOTH)
    assert records(fleet) == records(expected) and fleet.counts["views_read"] == 3
    assert {vm.name: vm.update_domain for vm in fleet.vms if vm.set_id} == {"web-0a": 0, "web-0b": 0, "web-1": 1}


@pytest.mark.parametrize("page_size, empty", [(1, False), (3, True)])
def test_pages(cloud, expected, page_size, empty):
    cloud.simulator.fleet.page_size = page_size
    cloud.simulator.fleet.quirks["empty_first_page"] = empty
    fleet = read_fleet(cloud.arm(), BOTH)
    assert records(fleet) == records(expected)
    assert len(cloud.requests()) > 2 * LISTS + LOCATIONS and cloud.requests(having="/instanceView?") == []


def test_lists_are_joined_without_regard_to_case(cloud, expected):
    cloud.simulator.fleet.quirks["upper_case_ids"] = False
    plain = records(read_fleet(cloud.arm(), BOTH))
    assert plain == [{**r, "availability_set": p["availability_set"]} for r, p in zip(records(expected), plain)]
    by_name = {vm.name: vm for vm in expected.vms}
    assert by_name["solo"].addresses.public == ("20.50.0.7",) and by_name["solo"].addresses.dynamic_public
    assert "dynamic_public_ip" in [hazard.name for hazard in by_name["solo"].hazards]
    assert {vm.failure_domain.set_key for vm in expected.vms if vm.set_id} == {by_name["web-1"].failure_domain.set_key}
    assert (by_name["far"].paired_regions, by_name["far"].zone) == (("westeurope",), "2")


def test_one_subscription_in_two_spellings_is_read_once(cloud):
    fleet = read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION.upper(), SUBSCRIPTION, OTHER]))
    assert names(fleet) == NAMES and fleet.counts["subscriptions"] == 2


def test_which_subscriptions(cloud):
    def asked(arm, *wanted):
        cloud.simulator.world.requests.clear()
        return names(read_fleet(arm, Selection(subscriptions=wanted)))

    arm = cloud.arm()
    assert asked(arm) == NAMES and asked(cloud.arm(1)) == [name for name in NAMES if name != "far"]
    cloud.fault("/subscriptions[?]", body={"value": [{"subscriptionId": SUBSCRIPTION, "state": "Disabled"}, {"subscriptionId": OTHER}]})
    assert asked(arm) == ["far"]
    cloud.fault("/subscriptions[?]", body={"value": []})
    with pytest.raises(AzureError, match="sees no subscription"):
        asked(arm)
    settings = arm.settings
    try:
        arm.settings = dataclasses.replace(settings, subscription_id=OTHER)
        assert asked(arm) == ["far"] and "calm" in asked(arm, SUBSCRIPTION)
    finally:
        arm.settings = settings
    assert isinstance(settings, Settings)


def test_all_lists_are_under_way_at_once(cloud):
    """Each answer takes a while; one after another they would take more than twice as long as is allowed here."""
    cloud.fault("/subscriptions/", delay=0.15, count=0)
    started = time.monotonic()
    assert names(read_fleet(cloud.arm(), BOTH)) == NAMES
    assert time.monotonic() - started < 0.15 * (2 * LISTS + LOCATIONS) / 2


# -- what is selected -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, expected", [
    ({"resource_groups": ["SHOP-ne"]}, ["far"]), ({"exclude_resource_groups": ["shop-NE"]}, [name for name in NAMES if name != "far"]),
    ({"resource_groups": ["nowhere"]}, []), ({"only_affected": True}, [name for name in NAMES if name != "calm"]),
    ({"query": "hazards[?blocking]"}, ["disk"]), ({"query": "zone", "only_affected": True}, ["far"]), ({"query": None, "subscriptions": None}, NAMES)])
def test_a_selection(cloud, options, expected):
    fleet = read_fleet(cloud.arm(), Selection.from_options({**options, "something_else": 3}))
    assert names(fleet) == expected and fleet.counts["returned"] == len(expected)
    chosen = {"SHOP-ne": 1, "nowhere": 0}.get((options.get("resource_groups") or [""])[0], 7 if "exclude_resource_groups" in options else 8)
    assert fleet.counts["vms"] == chosen and len(list(fleet.records())) == len(expected)


@pytest.mark.parametrize("options, words", [
    ({"query": "tags."}, "query 'tags.' is not"), ({"second_opinion": "rumour"}, "second_opinion 'rumour' is unknown"),
    ({"resource_groups": ["A", "b"], "exclude_resource_groups": ["a"]}, "resource group a is both"),
    *(({option: ["a", name]}, f"{option}: .* cannot be the name of a resource group, and patterns are not understood; {remedy}, or choose by query")
      for option, remedy in (("resource_groups", "leave it out to read all groups"), ("exclude_resource_groups", "write the names out"))
      for name in ("*", "app-*", "app?", "^app", "a|b", "/subscriptions/s/resourceGroups/g", "a b", "", "!a"))])
def test_a_selection_that_makes_no_sense(options, words):
    with pytest.raises(OptionsError, match=words):
        Selection.from_options(options)


@pytest.mark.parametrize("name", ["App(prod).eu", "app_test-ü", "0042", "MC_rg_aks_westeurope", "groß"])
def test_any_name_that_azure_gives_is_a_resource_group(name):
    assert Selection(resource_groups=[name]).wants_group()(name.lower())


def test_without_addresses_no_list_of_them_is_read(cloud):
    fleet = read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION], addresses=False))
    assert cloud.requests(having="Microsoft.Network") == [] and {vm.addresses.private for vm in fleet.vms} == {()}


def test_a_vm_without_a_host_is_in_no_wave_and_needs_no_view_of_its_own(cloud):
    cloud.simulator.fleet.status_only = "minimal"
    for name in ("solo", "web-1"):
        cloud.change(name, power="deallocated")
    fleet = read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION]))
    assert {vm.name: vm.update_domain for vm in fleet.vms if vm.absent} == {"solo": None, "web-1": 1}
    assert (len(cloud.requests(having="/solo/instanceView")), len(cloud.requests(having="/web-1/instanceView"))) == (0, 1)
    cloud.simulator.world.requests.clear()
    read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION], only_affected=True))
    assert cloud.requests(having="/web-1/instanceView") == [] and len(cloud.requests(having="/instanceView")) == 5


def test_one_subscription_shows_for_all_what_the_status_list_carries(cloud):
    """The other subscription has nobody in a wave; the lists of this cloud are known to show blocks."""
    cloud.change("far", wave=None)
    fleet = read_fleet(cloud.arm(), BOTH)
    assert fleet.counts["views_read"] == 0 and fleet.counts["affected"] == 6


def test_a_region_that_the_first_subscription_does_not_see(cloud):
    cloud.fault(f"{SUBSCRIPTION}/locations", body={"value": [{"name": "westeurope"}]})
    fleet = read_fleet(cloud.arm(), BOTH)
    assert {vm.name: vm.paired_regions for vm in fleet.vms}["far"] == ("westeurope",) and len(cloud.requests(having="/locations")) == 2


# -- scale sets -----------------------------------------------------------------------------------------------------------

POOL = ["pool_0", "pool_1", "pool_2", "pool_3", "pool_4"]
SET_LISTS = 3  # instances, their interfaces, their public addresses


@pytest.mark.parametrize("shape", ["full", "lean", "minimal"])
@pytest.mark.parametrize("page_size", [2, 200])
def test_scale_sets(pools, shape, page_size):
    pools.simulator.fleet.status_only, pools.simulator.fleet.page_size = shape, page_size
    fleet = read_fleet(pools.arm(), Selection(subscriptions=[SUBSCRIPTION]))
    found = {vm.name: vm for vm in fleet.vms}
    assert sorted(found) == ["flex-a", "flex-b", *POOL, "solo", "web-0a", "web-1"] and fleet.warnings == []
    assert [(found[name].zone, found[name].update_domain) for name in POOL] == [("1", 0), ("2", 0), ("1", 1), ("2", 1), ("1", 0)]
    assert {found[name].status.allowed for name in POOL} == {True} and found["pool_3"].power_state == "stopped"
    assert found["pool_3"].addresses == Addresses(("10.2.0.3",), ("20.50.2.3",)) and found["pool_0"].computer_name == "pool000000"
    assert found["pool_0"].failure_domain == found["pool_4"].failure_domain != found["pool_1"].failure_domain
    assert found["flex-a"].own_domain and found["flex-a"].set_id.lower() == found["flex-b"].set_id.lower() and found["flex-b"].absent
    if page_size == 200:
        assert len(pools.requests()) == LISTS + LOCATIONS + SET_LISTS + (0 if shape == "full" else 4)
    assert pools.requests(having="pool/virtualMachines/") == [] and pools.requests(having="flex/") == []


def test_an_instance_list_without_views(pools):
    """Seen in recordings: $expand asked for, no view in the answer."""
    bodies = [pools.simulator.world.view.instance(vm) for vm in pools.simulator.fleet.vms.values() if vm.instance_id is not None]
    pools.fault("pool/virtualMachines[?]", body={"value": bodies})
    fleet = read_fleet(pools.arm(), Selection(subscriptions=[SUBSCRIPTION]))
    assert {vm.name: vm.update_domain for vm in fleet.vms if vm.instance_id} == dict(zip(POOL, (0, 0, 1, 1, 0))) and fleet.counts["views_read"] == 5


# -- never short ----------------------------------------------------------------------------------------------------------

def drop_from(cloud, path, *dropped, key="virtualMachines"):
    """A list answer without some of its items."""
    world, subscription = cloud.simulator.world, SUBSCRIPTION
    mine = [vm for vm in cloud.simulator.fleet.vms.values() if vm.subscription == subscription and vm.name not in dropped]
    render = world.view.status_only if "statusOnly" in path else world.view.listed
    cloud.fault(f"{subscription}.*{path}", body={"value": [render(vm) for vm in mine]})


MODELS = r"virtualMachines\?api-version"


@pytest.mark.parametrize("paths", [(MODELS,), ("statusOnly",), (MODELS, "statusOnly")])
@pytest.mark.parametrize("lost", ["solo", "web-1"])
def test_a_vm_that_a_list_lost_is_found_elsewhere(cloud, expected, paths, lost):
    """By the status list, its set or its network interface."""
    for path in paths:
        drop_from(cloud, path, lost)
    fleet = read_fleet(cloud.arm(), BOTH)
    assert records(fleet) == records(expected)
    assert cloud.requests(having=f"/virtualMachines/{lost}") or cloud.requests(having=f"/virtualMachines/{lost.upper()}")


def test_a_lost_next_page_loses_no_vm(cloud, expected):
    cloud.simulator.fleet.page_size = 2
    for path in (MODELS, "statusOnly"):
        cloud.fault(path, lose_next_link=True, count=0)
    assert records(read_fleet(cloud.arm(), BOTH)) == records(expected)


@pytest.mark.parametrize("shape", ["full", "minimal"])
def test_a_vm_deleted_between_the_lists_is_named_as_gone(cloud, shape):
    cloud.simulator.fleet.status_only = shape
    drop_from(cloud, MODELS, "duo")
    del cloud.simulator.fleet.vms[cloud.id("duo").lower()]
    ghost = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/availabilitySets/a",
             "properties": {"virtualMachines": [{"id": cloud.id("ghost").upper()}]}}
    cloud.fault("availabilitySets", body={"value": [ghost]})
    fleet = read_fleet(cloud.arm(), BOTH)
    assert names(fleet) == [name for name in NAMES if name != "duo"]
    assert [gone.rsplit("/", 1)[-1].lower() for gone in fleet.gone] == ["ghost"] and fleet.counts["gone"] == 1


def test_a_vm_deleted_before_its_view_is_read(cloud):
    cloud.simulator.fleet.status_only = "minimal"
    cloud.fault("/duo/instanceView", status=404)
    fleet = read_fleet(cloud.arm(), BOTH)
    assert names(fleet) == [name for name in NAMES if name != "duo"] and [gone.rsplit("/", 1)[-1] for gone in fleet.gone] == ["duo"]


@pytest.mark.parametrize("path, doing, fault", [
    *[(path, doing, {"status": 403}) for path, doing in (
        (MODELS, "list virtual machines of subscription"), ("statusOnly", "list the status of virtual machines of subscription"),
        ("availabilitySets", "list availability sets"), ("networkInterfaces", "list network interfaces"),
        ("virtualMachineScaleSets", "list scale sets"), ("publicIPAddresses", "list public IP addresses"))],
    *[(MODELS, "list virtual machines of subscription", fault) for fault in (
        {"body": "<html>"}, {"status": 500}, {"truncate": True}, {"body": {"value": None}})]])
def test_a_list_that_cannot_be_had_is_an_error(cloud, path, doing, fault):
    cloud.fault(f"{OTHER}.*{path}", count=0, **fault)
    with pytest.raises(AzureError, match=doing) as caught:
        read_fleet(cloud.arm(), BOTH)
    assert OTHER in str(caught.value)


def test_a_subscription_that_may_not_be_read(cloud):
    with pytest.raises(IncompleteFleet, match=f"of subscription {OTHER} .page 1.: HTTP 403 AuthorizationFailed") as caught:
        read_fleet(cloud.arm(1), BOTH)
    failure = caught.value.to_result()
    assert (failure["asked"], failure["seen"]) == ({"subscriptions": 2}, {"subscriptions": 1, "vms": 7}) and failure["status"] == 403
    assert [(item["subscription"], "HTTP 403" in item["reason"]) for item in failure["missing"]] == [(OTHER, True)]


def test_a_subscription_that_may_be_left_out_is_named(cloud):
    fleet = read_fleet(cloud.arm(1), Selection(subscriptions=[OTHER, SUBSCRIPTION], complete=False))
    assert names(fleet) == [name for name in NAMES if name != "far"] and fleet.counts["left_out"] == 1
    assert [item["subscription"] for item in fleet.left_out] == [OTHER] and "HTTP 403" in fleet.left_out[0]["reason"]
    assert len(fleet.warnings) == 1 and OTHER in fleet.warnings[0]
    assert {vm.name: vm.paired_regions for vm in fleet.vms}["solo"] == ("northeurope",), "regions come from a subscription that may be read"


def test_nothing_at_all_is_not_a_result(cloud):
    with pytest.raises(IncompleteFleet, match="HTTP 403"):
        read_fleet(cloud.arm(1), Selection(subscriptions=[OTHER], complete=False))


def test_who_cannot_sign_in_learns_only_that(cloud):
    arm = Arm(Settings.from_options({**cloud.options(), "secret": "wrong"}))
    with pytest.raises(SignInError, match="could not sign in"):
        read_fleet(arm, Selection(subscriptions=[SUBSCRIPTION], complete=False))


def test_vms_that_may_be_left_out_are_named(cloud):
    cloud.simulator.fleet.status_only = "lean"
    cloud.fault("/virtualMachines/(duo|disk)/instanceView", status=403, count=0)
    cloud.fault("networkInterfaces/solo-nic[?]", status=403, count=0)
    nics = [nic(vm) for vm in cloud.simulator.fleet.vms.values() if vm.name != "solo" and vm.subscription == SUBSCRIPTION]
    cloud.fault(f"{SUBSCRIPTION}.*networkInterfaces[?]", body={"value": nics})
    fleet = read_fleet(cloud.arm(), Selection(subscriptions=[SUBSCRIPTION], complete=False))
    assert names(fleet) == ["calm", "web-0a", "web-0b", "web-1"]
    assert [item["id"].rsplit("/", 1)[-1].lower() for item in fleet.left_out] == ["disk", "duo", "solo"] and len(fleet.warnings) == 3


@pytest.mark.parametrize("fault, words", [
    ({"status": 403}, "HTTP 403"), ({"status": 500}, "HTTP 500"), ({"body": {}}, "no statuses"), ({"body": {"statuses": []}}, "no statuses"),
    ({"body": {"statuses": [{"code": "PowerState/running"}], "maintenanceRedeployStatus": {"preMaintenanceWindowStartTime": "soon"}}}, "not a time")])
def test_a_view_that_cannot_be_had_is_an_error(cloud, fault, words):
    cloud.simulator.fleet.status_only = "lean"
    cloud.fault("/virtualMachines/duo/instanceView", count=0, **fault)
    with pytest.raises(AzureError, match=words) as caught:
        read_fleet(cloud.arm(), BOTH)
    assert "/virtualMachines/duo" in str(caught.value)


def test_a_model_nobody_can_understand_names_its_vm(cloud):
    broken = [{"id": "/subscriptions/x/nonsense", "properties": {}}]
    view = {"statuses": [{"code": "PowerState/running"}]}
    cloud.fault(f"{OTHER}.*{MODELS}", body={"value": broken})
    cloud.fault("nonsense/instanceView", body=view)
    with pytest.raises(IncompleteFleet, match="understand /subscriptions/x/nonsense"):
        read_fleet(cloud.arm(), Selection(subscriptions=[OTHER]))
