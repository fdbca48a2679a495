# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading whole subscriptions: the same records by every way, complete or an error that names what is missing."""

from __future__ import annotations

import dataclasses

import pytest
from unit.plugins.cloud import OTHER, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.credentials import Settings
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import AuthError, AzureError, IncompleteFleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.fleet import read_fleet, subscriptions_of

BOTH = [SUBSCRIPTION, OTHER]
NAMES = ["calm", "disk", "duo", "far", "solo", "web-0a", "web-0b", "web-1"]
LISTS = 6  # models, status, sets, network interfaces, public addresses, locations


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
    assert len(cloud.requests()) == 2 * LISTS + read
    assert len(cloud.requests(having="/instanceView?")) == read
    assert (fleet.counts["views_from_list"], fleet.counts["views_read"]) == (8 - read, read)
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
    assert len(cloud.requests()) > 2 * LISTS and cloud.requests(having="/instanceView?") == []


def test_lists_are_joined_without_regard_to_case(cloud, expected):
    cloud.simulator.fleet.quirks["upper_case_ids"] = False
    plain = records(read_fleet(cloud.arm(), BOTH))
    assert plain == [{**r, "availability_set": p["availability_set"]} for r, p in zip(records(expected), plain)]
    by_name = {vm.name: vm for vm in expected.vms}
    assert by_name["solo"].addresses.public == ("20.50.0.7",) and by_name["solo"].addresses.dynamic_public
    assert "dynamic_public_ip" in [hazard.name for hazard in by_name["solo"].hazards]
    assert {vm.failure_domain.set_key for vm in expected.vms if vm.set_id} == {by_name["web-1"].failure_domain.set_key}
    assert len(expected.members()[by_name["web-1"].failure_domain.set_key]) == 3
    assert (by_name["far"].paired_regions, by_name["far"].zone) == (("westeurope",), "2")


def test_one_subscription_in_two_spellings_is_read_once(cloud):
    wanted = subscriptions_of(cloud.arm(), [SUBSCRIPTION.upper(), SUBSCRIPTION, OTHER])
    assert len(wanted) == 2 and names(read_fleet(cloud.arm(), wanted)) == NAMES


def test_which_subscriptions(cloud):
    assert sorted(subscriptions_of(cloud.arm(), None)) == sorted(BOTH)
    assert subscriptions_of(cloud.arm(1), []) == [SUBSCRIPTION]
    cloud.fault("/subscriptions[?]", body={"value": [{"subscriptionId": "a", "state": "Disabled"}, {"subscriptionId": "b"}]})
    assert subscriptions_of(cloud.arm(), None) == ["b"]
    cloud.fault("/subscriptions[?]", body={"value": []})
    with pytest.raises(AzureError, match="sees no subscription"):
        subscriptions_of(cloud.arm(), None)
    arm = cloud.arm()
    settings = arm.settings
    try:
        arm.settings = dataclasses.replace(settings, subscription_id=OTHER)
        assert subscriptions_of(arm, None) == [OTHER] and subscriptions_of(arm, ["x"]) == ["x"]
    finally:
        arm.settings = settings
    assert isinstance(settings, Settings)


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
    ghost = {"id": cloud.id("ghost"), "properties": {"virtualMachines": [{"id": cloud.id("ghost").upper()}]}}
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
        ("publicIPAddresses", "list public IP addresses"), ("locations", "list locations"))],
    *[(MODELS, "list virtual machines of subscription", fault) for fault in (
        {"body": "<html>"}, {"status": 500}, {"truncate": True}, {"body": {"value": None}})]])
def test_a_list_that_cannot_be_had_is_an_error(cloud, path, doing, fault):
    cloud.fault(f"{OTHER}.*{path}", count=0, **fault)
    with pytest.raises(AzureError, match=doing) as caught:
        read_fleet(cloud.arm(), BOTH)
    assert OTHER in str(caught.value)


def test_a_subscription_that_may_not_be_read(cloud):
    with pytest.raises(AuthError, match=f"of subscription {OTHER} .page 1.: HTTP 403 AuthorizationFailed"):
        read_fleet(cloud.arm(1), BOTH)


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
        read_fleet(cloud.arm(), [OTHER])


def test_throttled_lists_are_waited_for(cloud, expected):
    cloud.fault(MODELS, status=429, retry_after=11, count=2)
    assert records(read_fleet(cloud.arm(), BOTH)) == records(expected) and sum(cloud.clock.sleeps) >= 11
