# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to wait: another try after RetryLater, a set that goes one by one, a guest's Scheduled Event, locks and scale sets in change."""

from __future__ import annotations

import json

import pytest
from unit.plugins.cloud import POOLS, SUBSCRIPTION

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import concurrent_starts

LATER = {"result": "retry_later", "allowed": True}


def starts(cloud):
    return len(cloud.requests("POST", "/performMaintenance?"))


def journal_outcomes(cloud, name):
    file, = cloud.journal.glob(f"{name}-*.json")
    return [attempt["outcome"] for attempt in json.loads(file.read_text())["attempts"]]


# -- another try ----------------------------------------------------------------------------------------------------------

def test_retry_later_is_tried_again_while_it_is_allowed(cloud):
    cloud.change("solo", operations={"default": [LATER, {}]})
    result = cloud.redeploy("solo", "duo", timeout=4000)
    assert cloud.outcomes(result) == {"solo": "succeeded", "duo": "succeeded"}
    assert cloud.executed() == ["duo", "solo", "solo"] and journal_outcomes(cloud, "solo") == ["retry_later", "succeeded"]
    assert cloud.clock.seconds >= 600 and result["vms"][cloud.id("solo")]["attempts"] == 2


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_tries_are_capped(cloud, retries):
    cloud.change("solo", operations={"default": LATER})
    vm = cloud.redeploy("solo", timeout=9000, retries=retries)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "retry_later" and len(cloud.executed()) == vm["attempts"] == retries + 1
    assert "Azure restarts it between" in vm["advice"], "what Azure will do"


def test_no_other_try_when_azure_stops_allowing_it(cloud):
    cloud.change("solo", operations={"default": LATER})
    cloud.clock.hooks.append(lambda: cloud.clock.seconds > 300 and cloud.change("solo", allowed=False))
    vm = cloud.redeploy("solo", timeout=4000)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "retry_later" and "not tried again: state retry_later" in vm["reason"] and cloud.executed() == ["solo"]
    assert vm["ended_at"] and vm["client_request_id"], "the attempt that was made is still told of"


def test_no_other_try_past_the_time_limit_nor_without_permission(cloud):
    cloud.change("solo", operations={"default": LATER})
    cloud.change("duo", operations={"default": {"result": "retry_later", "allowed": False}})
    result = cloud.redeploy("solo", "duo", timeout=300)
    assert cloud.outcomes(result) == {"solo": "retry_later", "duo": "retry_later"} and cloud.clock.seconds < 300
    assert cloud.executed() == ["duo", "solo"]


def test_the_set_is_judged_again_before_another_try(cloud):
    cloud.change("web-0a", operations={"default": [LATER, {}]})
    cloud.clock.hooks.append(lambda: cloud.clock.seconds > 300 and cloud.change("web-1", power="stopped"))
    result = cloud.redeploy("web-0a", timeout=4000)
    assert cloud.outcomes(result) == {"web-0a": "retry_later"} and "web-1 (power state is stopped)" in result["msg"]
    assert cloud.executed() == ["web-0a"]


@pytest.mark.parametrize("accept, allowed, times", [((), True, 1), (("retry_after_abort",), False, 1), (("retry_after_abort",), True, 2)])
def test_an_abort_is_tried_again_only_when_allowed_and_asked_for(cloud, accept, allowed, times):
    cloud.change("solo", operations={"default": [{"result": "aborted", "allowed": allowed}, {}]})
    result = cloud.redeploy("solo", timeout=4000, accept=accept)
    assert len(cloud.executed()) == times
    assert cloud.outcomes(result) == {"solo": "succeeded" if times == 2 else "aborted"}


def test_a_platform_update_is_waited_for(cloud):
    cloud.post_fault("solo", status=409, code="ResourceUpdateBlockedOnPlatformUpdate")
    assert cloud.outcomes(cloud.redeploy("solo", timeout=4000)) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"] and starts(cloud) == 2 and cloud.clock.seconds >= 600


# -- one by one -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def narrow(cloud):
    """A set of which Azure moves one VM at a time."""
    group, = cloud.simulator.fleet.sets
    object.__setattr__(group, "concurrent_redeploys", 1)
    yield cloud
    object.__setattr__(group, "concurrent_redeploys", None)


def test_the_rest_of_a_set_goes_one_by_one(narrow):
    result = narrow.redeploy("web-0a", "web-0b", "solo", timeout=4000)  # the clock runs on while a loaded machine answers
    assert set(narrow.outcomes(result).values()) == {"succeeded"} and narrow.executed() == ["solo", "web-0a", "web-0b"]
    spans = sorted((e["start"], e["end"]) for e in narrow.simulator.ledger() if e["operation_id"] and e["name"].startswith("web"))
    assert spans[0][1] <= spans[1][0], "one after another"


def test_one_by_one_ends_at_the_time_limit(narrow):
    for name in ("web-0a", "web-0b"):
        narrow.change(name, operations={"default": {"after_seconds": 9000}})
    result = narrow.redeploy("web-0a", "web-0b", timeout=100)
    assert sorted(narrow.outcomes(result).values()) == ["retry_later", "still_running"] and len(narrow.executed()) == 1
    assert "TooManyVMRedeploymentRequests" in result["msg"]


def test_one_by_one_stops_behind_a_member_that_fails(narrow):
    for name in ("web-0a", "web-0b"):
        narrow.change(name, operations={"default": {"power_after": "stopped"}})
    result = narrow.redeploy("web-0a", "web-0b", timeout=900, settle=20)
    assert sorted(narrow.outcomes(result).values()) == ["failed", "refused"] and len(narrow.executed()) == 1


def test_without_waiting_the_rest_of_a_set_is_left(narrow):
    result = narrow.redeploy("web-0a", "web-0b", wait=False)
    assert sorted(narrow.outcomes(result).values()) == ["retry_later", "started"] and "run again when the others" in result["msg"]
    assert narrow.clock.seconds <= concurrent_starts._LONGEST_PAUSE, "and nobody waits for it"


# -- Scheduled Events -----------------------------------------------------------------------------------------------------

EVENT = {"waits_seconds": 900, "after_seconds": 20}


def test_a_wait_for_an_event_is_shown(cloud):
    cloud.change("solo", operations={"default": EVENT})
    notes = []
    cloud.clock.hooks.append(lambda: notes.append((cloud.journal / "progress.json").read_text()))
    vm = cloud.redeploy("solo", timeout=200)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "still_running" and "waits for its Scheduled Event" in vm["reason"] and "approve_scheduled_events" in vm["reason"]
    assert "waits for its Scheduled Event" in notes[-1] and cloud.requests("POST", "acknowledge") == []


def test_a_wait_for_an_event_is_cut_short_when_asked(cloud):
    cloud.change("solo", operations={"default": EVENT})
    vm = cloud.redeploy("solo", timeout=200, approve=True)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "succeeded" and "was approved" in vm["reason"] and cloud.clock.seconds < 100
    assert [post[1] for post in cloud.posts()] == ["performMaintenance", "acknowledge"]


def test_an_event_that_may_not_be_approved(cloud):
    cloud.change("solo", operations={"default": EVENT})
    cloud.fault("/acknowledge", "POST", count=0, status=403)
    vm = cloud.redeploy("solo", timeout=1200, approve=True)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "succeeded" and "Scheduled Events Contributor" in vm["reason"] and cloud.clock.seconds >= 900
    assert len(cloud.requests("POST", "/acknowledge")) == 1, "a refusal is believed"


def test_an_event_that_cannot_be_looked_for(cloud):
    cloud.change("solo", operations={"default": EVENT})
    cloud.fault("ResourceGraph", "POST", count=0, status=403)
    vm = cloud.redeploy("solo", timeout=200, approve=True)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "still_running" and "may be waiting for its Scheduled Event" in vm["reason"]


def test_an_event_of_somebody_elses_operation_is_not_approved(cloud):
    """The same kind of event, of a VM that this call did not start."""
    for name in ("solo", "duo"):
        cloud.change(name, operations={"default": EVENT})
    other = cloud.simulator.fleet.named("duo")[0]
    with cloud.simulator.world.lock:
        cloud.simulator.world.engine.begin(other, "redeploy")
    assert cloud.outcomes(cloud.redeploy("solo", timeout=200, approve=True)) == {"solo": "succeeded"}
    assert [name for name, operation, dummy in cloud.posts() if operation == "acknowledge"] == ["solo"]


# -- locks ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("scope, level, outcome", [
    ("", "ReadOnly", "refused"), ("/resourceGroups/SHOP", "ReadOnly", "refused"), ("/resourceGroups/Shop-NE", "ReadOnly", "would_start"),
    ("/resourceGroups/Shop", "CanNotDelete", "would_start"), ("/resourceGroups/Sho", "ReadOnly", "would_start")])
def test_a_read_only_lock_is_found_before_anything_is_drained(cloud, scope, level, outcome):
    cloud.simulator.fleet.locks.append({"name": "freeze", "level": level, "scope": f"/subscriptions/{SUBSCRIPTION}{scope}"})
    result = cloud.redeploy("solo", check=True)
    assert cloud.outcomes(result) == {"solo": outcome} and ("lock freeze" in result["msg"]) is (outcome == "refused")


def test_locks_that_may_not_be_read_are_azures_to_enforce(cloud):
    cloud.simulator.fleet.locks.append({"name": "freeze", "level": "ReadOnly", "scope": cloud.id("solo")})
    cloud.fault("/locks", count=0, status=403)
    result = cloud.redeploy("solo", "duo")
    assert cloud.outcomes(result) == {"solo": "refused", "duo": "succeeded"}
    vm = result["vms"][cloud.id("solo")]
    assert vm["code"] == "ScopeLocked" and "lock" in vm["advice"]


# -- scale sets -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def pools(cloud_of):
    return cloud_of({**POOLS, "scale_sets": [{**POOLS["scale_sets"][0], "instances": []}, *POOLS["scale_sets"][1:]]})


def test_one_instance_is_moved_and_no_other(pools):
    result = pools.redeploy("pool_0")
    assert pools.outcomes(result) == {"pool_0": "succeeded"} and pools.executed() == ["pool_0"]
    assert [e["via"] for e in pools.simulator.ledger()] == ["vm"], "by a call of its own"
    vm, = result["vms"].values()
    assert vm["scale_set"].endswith("/pool") and vm["availability_set"] is None and vm["after"]["instance_id"] == "0"
    assert pools.outcomes(pools.redeploy("pool_0")) == {"pool_0": "already_done"}


@pytest.mark.parametrize("change, words", [
    ({"provisioning": "Updating"}, "scale set is being changed"), ({"capacity": 2}, "no such VM")])
def test_a_scale_set_that_changes_is_left_alone(pools, change, words):
    name, victim = "pool", pools.id("pool_4")
    with pools.simulator.world.lock:
        pools.simulator.control.patch_set(name, change)
    result = pools.redeploy(victim)
    assert [vm["outcome"] for vm in result["vms"].values()] == ["refused"] and words in result["msg"] and pools.executed() == []


@pytest.mark.parametrize("policy", [{"mode": "Rolling"}, {"mode": "Automatic", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}},
                                    {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}])
@pytest.mark.parametrize("code, outcome", [("RollingForward", "refused"), ("Completed", "succeeded")])
def test_a_scale_set_in_a_rolling_upgrade(pools, policy, code, outcome):
    pools.fault(r"/virtualMachineScaleSets/pool\?", count=0, body={"properties": {"provisioningState": "Succeeded", "upgradePolicy": policy}})
    pools.fault("/rollingUpgrades/latest", count=0, body={"properties": {"runningStatus": {"code": code}}})
    assert pools.outcomes(pools.redeploy("pool_0")) == {"pool_0": outcome}


def test_a_scale_set_that_scales_during_a_wait(pools):
    pools.fault("/virtualMachines/0/performMaintenance", "POST", status=429, retry_after=30)

    def update():
        with pools.simulator.world.lock:
            pools.simulator.control.patch_set("pool", {"provisioning": "Updating"})

    pools.clock.hooks.append(update)
    result = pools.redeploy("pool_0")
    assert pools.outcomes(result) == {"pool_0": "refused"} and "being changed" in result["msg"] and pools.executed() == []


def test_instances_of_two_update_domains_are_refused(pools):
    result = pools.redeploy("pool_0", "pool_1", "pool_2", "pool_3")
    assert set(pools.outcomes(result).values()) == {"refused"} and pools.executed() == []


def test_a_member_of_a_flexible_set_that_is_being_upgraded(pools):
    with pools.simulator.world.lock:
        pools.simulator.control.patch_set("flex", {"provisioning": "Updating"})
    assert pools.outcomes(pools.redeploy("flex-a")) == {"flex-a": "refused"}
