# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault list: whatever goes wrong while a fleet is read, the end is complete data or an error that names what is missing."""

from __future__ import annotations

import re

import pytest
from unit.plugins.cloud import SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._errors import IncompleteFleet
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._fleet.fleet import Selection, read_fleet

ONE = Selection(subscriptions=[SUBSCRIPTION])
LISTS = {
    "models": r"virtualMachines\?api-version", "status": "statusOnly", "interfaces": r"Microsoft.Network/networkInterfaces\?",
    "availability sets": "availabilitySets[?]", "scale sets": r"virtualMachineScaleSets\?", "resources": r"/resources\?",
    "public addresses": r"Microsoft.Network/publicIPAddresses\?", "locations": "/locations",
    "instances": r"pool/virtualMachines\?", "instance interfaces": r"pool/networkInterfaces\?", "instance addresses": r"pool/publicIPAddresses\?"}
PASSING = {
    "429 that says how long": {"status": 429, "retry_after": 7}, "429 that does not": {"status": 429}, "429 of Compute": {
        "status": 429, "retry_after": 3, "wrapped": False, "code": "OperationNotAllowed"},
    "500": {"status": 500}, "503 with Retry-After": {"status": 503, "retry_after": 2}, "504": {"status": 504}, "408": {"status": 408},
    "cut short": {"truncate": True}, "no JSON": {"body": "<html>Bad Gateway</html>"}, "no answer": {"drop": "before"}, "answer lost": {"drop": "after"},
    "token expired": {"status": 401, "code": "ExpiredAuthenticationToken"}}
LASTING = {
    **{name: fault for name, fault in PASSING.items() if name != "429 that does not"}, "throttled for good": {"status": 429},
    "403": {"status": 403}, "no list": {"body": {"value": None}}, "an item without id": {"body": {"value": [{}]}},
    "an item that is none": {"body": {"value": ["x"]}}}


def facts(fleet):
    """What does not depend on when and how it was read."""
    made = [vm.to_record(fleet.now) for vm in fleet.vms]
    varying = {"seconds_left": None, "self_service_window": None, "scheduled_window": None}
    return {record["id"].lower(): {**record, "id": None, "resource_group": None, "maintenance": {**record["maintenance"], **varying}} for record in made}


@pytest.fixture(scope="module")
def known():
    """What is read when nothing is in the way, once it has been."""
    return {}


@pytest.fixture
def expected(pools, known):
    known.update(known or facts(read_fleet(pools.arm(), ONE)))
    pools.simulator.fleet.page_size = 2  # a second page of most lists
    pools.simulator.world.requests.clear()
    assert len(known) == 10
    return known


def pairs_of(faults, few):
    """Every fault on the list of models, and a few of them on every list."""
    return [(which, fault) for which in LISTS for fault in faults if which == "models" or fault in few]


@pytest.mark.parametrize("which, fault", pairs_of(PASSING, ["429 that does not", "cut short", "token expired"]))
def test_what_passes_costs_nothing_but_time(pools, expected, which, fault):
    pools.fault(LISTS[which], **PASSING[fault])
    fleet = read_fleet(pools.arm(), ONE)
    assert facts(fleet) == expected and fleet.left_out == [] and fleet.gone == []
    assert pools.simulator.world.faults.report()[0]["acted"] == 1
    waited = {"429 that says how long": 7, "429 that does not": 60, "503 with Retry-After": 2}.get(fault, 0)
    assert waited <= sum(pools.clock.sleeps)


@pytest.mark.parametrize("which, fault", pairs_of(LASTING, ["403", "no JSON", "an item without id"]))
def test_what_stays_is_an_error_that_says_what_is_missing(pools, expected, which, fault):
    pools.fault(LISTS[which], count=0, **LASTING[fault])
    if (which, fault) == ("resources", "403"):
        fleet = read_fleet(pools.arm(), ONE)
        assert facts(fleet) == expected and "its list of resources cannot be read (AuthorizationFailed)" in fleet.warnings[0]
        return
    with pytest.raises(IncompleteFleet) as caught:
        read_fleet(pools.arm(), ONE)
    failure = caught.value.to_result()
    assert failure["asked"]["subscriptions"] == 1 and "vms" in failure["seen"] and failure["doing"] and failure["detail"]
    assert [item.get("subscription") or item["id"] for item in failure["missing"]]
    assert re.search(f"{SUBSCRIPTION}|pool", str(caught.value))


@pytest.mark.parametrize("which, page", [(which, page) for which in LISTS for page in (1, 2) if page == 1 or which in ("models", "status")])
def test_a_lost_next_page_is_noticed(pools, expected, which, page):
    """By what the other lists name, or by the scale set's own count."""
    pools.fault(LISTS[which], nth=page, count=1, lose_next_link=True)
    assert facts(read_fleet(pools.arm(), ONE)) == expected


@pytest.mark.parametrize("also", ["status", "interfaces", "resources", "availability sets"])
def test_two_lists_that_end_early(pools, expected, also):
    for which in ("models", also):
        pools.fault(LISTS[which], count=0, lose_next_link=True)
    assert facts(read_fleet(pools.arm(), ONE)) == expected


def test_an_instance_list_that_ends_early_again_and_again(pools, expected):
    pools.fault(LISTS["instances"], count=0, lose_next_link=True)
    with pytest.raises(IncompleteFleet, match="the list ended after 2 of 5 instances"):
        read_fleet(pools.arm(), ONE)
    fleet = read_fleet(pools.arm(), Selection(subscriptions=[SUBSCRIPTION], complete=False))
    assert [item["id"].rsplit("/", 1)[-1] for item in fleet.left_out] == ["pool"] and fleet.counts["left_out"] == 1
    assert set(facts(fleet)) == {key for key in expected if "/pool/" not in key}, "not a part of its instances"


def test_empty_pages_that_have_a_next_one(pools, expected):
    pools.simulator.fleet.quirks["empty_first_page"] = True
    assert facts(read_fleet(pools.arm(), ONE)) == expected


@pytest.mark.parametrize("name", ["solo", "web-1", "flex-a", "pool_2"])
@pytest.mark.parametrize("shape", ["full", "lean"])
def test_a_machine_that_is_deleted_in_mid_reading(pools, expected, name, shape):
    """Some lists have it, and then it is 404: it is named as gone, nothing else is touched."""
    pools.simulator.fleet.status_only = shape
    (vm,) = pools.simulator.fleet.named(name)
    pools.fault(rf"{re.escape(vm.id)}(/instanceView)?[?]", count=0, status=404)
    keep = [other for other in pools.simulator.fleet.vms.values() if other is not vm and other.instance_id is None]
    if vm.instance_id is None:
        pools.fault(LISTS["models"], body={"value": [pools.simulator.world.view.listed(other) for other in keep]})
    else:
        view = pools.simulator.world.view.expanded_instance
        pools.fault(LISTS["instances"], body={"value": [view(other) for other in pools.simulator.fleet.vms.values() if other.instance_id and other is not vm]},
                    count=0)
        pools.fault("pool/instanceView", body={"virtualMachine": {"statusesSummary": [{"code": "ProvisioningState/succeeded", "count": 4}]}})
    fleet = read_fleet(pools.arm(), ONE)
    assert set(facts(fleet)) == set(expected) - {vm.key} and [gone.lower() for gone in fleet.gone] == [vm.key]
    assert fleet.counts["gone"] == 1


def test_a_token_that_expires_in_the_middle_is_renewed_once(pools, expected):
    arm = pools.arm()
    read_fleet(arm, ONE)
    pools.simulator.world.requests.clear()
    pools.fault("/subscriptions/", status=401, code="ExpiredAuthenticationToken", nth=5)
    assert facts(read_fleet(arm, ONE)) == expected
    assert len([r for r in pools.simulator.requests() if r["path"].endswith("/oauth2/v2.0/token")]) == 1


def test_a_throttled_subscription_waits_once_however_many_lists_are_under_way(pools, expected):
    pools.fault(f"/subscriptions/{SUBSCRIPTION}/", status=429, retry_after=20, count=6)
    assert facts(read_fleet(pools.arm(), ONE)) == expected
    assert 20 <= pools.clock.seconds < 20 * 12, "every thread sleeps on this test's one clock, but none of them twice over"
