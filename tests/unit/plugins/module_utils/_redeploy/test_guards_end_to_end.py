# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a VM from being started: its state, its hazards, its set, other processes. Nothing of it reaches Azure."""

from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy import start
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal

SINCE = format_time(dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=3))

# state of the cloud -> state, outcome, words of the reason
STATES = [
    ({"power": "deallocated"}, "not_hosted", "not_allowed", "deallocated"),
    ({"wave": None}, "not_scheduled", "not_allowed", "no planned maintenance"),
    ({"code": "Sublimated", "allowed": True}, "unknown", "not_allowed", "never acted on"),
    ({"code": "MaintenanceCompleted"}, "done", "already_done", "done"),
    ({"wave": "next"}, "upcoming", "not_allowed", "begins at"),
    ({"code": "RetryLater"}, "retry_later", "not_allowed", "retry later"),
    ({"code": "MaintenanceAborted"}, "skipped", "not_allowed", "aborted"),
    ({"allowed": False}, "blocked", "not_allowed", "does not allow"),
    ({"wave": "gap"}, "waiting", "not_allowed", "ended at"),
    ({"wave": "azure"}, "azure_controlled", "not_allowed", "Azure restarts it"),
    ({"wave": "past"}, "expired", "not_allowed", "both of its windows are over"),
]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("change, state, outcome, words", STATES)
def test_states_in_which_nothing_is_started(cloud, change, state, outcome, words, check):
    cloud.change("solo", **change)
    result = cloud.redeploy("solo", check=check)
    vm = result["vms"][cloud.id("solo")]
    assert (vm["state_before"], vm["outcome"]) == (state, outcome)
    assert words in vm["reason"]
    assert cloud.simulator.ledger() == [] and cloud.requests("POST") == []
    assert result["changed"] is False and result.get("failed", False) is (outcome == "not_allowed")


@pytest.mark.parametrize("change", [dict(item[0]) for item in STATES if item[1] not in ("not_hosted",)])
def test_a_plain_redeploy_does_not_ask_for_the_maintenance_state(cloud, change):
    cloud.change("solo", **change)
    assert cloud.outcomes(cloud.redeploy("solo", operation="redeploy", since=SINCE)) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


# changes, ids named, options -> words that the reason of the first VM must have
REFUSALS = {
    "member stopped": ({"web-1": {"power": "stopped"}}, ["web-0a"], {}, "web-1 (power state is stopped)"),
    "member of the same domain stopped": ({"web-0b": {"power": "stopped"}}, ["web-0a"], {}, "web-0b (power state is stopped)"),
    "member not ready": ({"web-1": {"agent": "not_ready"}}, ["web-0a", "web-0b"], {}, "web-1 (guest agent is not ready)"),
    "member updating": ({"web-1": {"provisioning": "updating"}}, ["web-0a"], {}, "web-1 (provisioning state is updating)"),
    "member failed": ({"web-1": {"provisioning": "failed/X"}}, ["web-0a"], {}, "web-1 (provisioning state is failed)"),
    "two update domains": ({}, ["web-0a", "web-1"], {}, "span 2 update domains of one set (0: web-0a; 1: web-1)"),
    "two update domains, whatever the limit": ({}, ["web-0a", "web-1"], {"max_unavailable": "3"}, "span 2 update domains"),
    "too many": ({}, ["web-0a", "web-0b"], {"max_unavailable": "1"}, "2 of 3 members would be unavailable, max_unavailable is 1"),
    "too few left": ({}, ["web-0a", "web-0b"], {"min_available": "60%"}, "only 1 of 3 members would stay up, min_available is 60%"),
    "absent members count against the least": ({"web-1": {"power": "deallocated"}}, ["web-0a"], {"min_available": "2"}, "only 1 of 3"),
    "more than the limit down": ({"web-1": {"power": "stopped"}}, ["web-0a"], {"max_unavailable": "1"}, "web-1 (power state is stopped)"),
    "busy itself": ({"solo": {"provisioning": "updating"}}, ["solo"], {}, "another operation is running on it"),
    "ephemeral disk": ({}, ["disk"], {}, "name it in accept: [ephemeral_os_disk]"),
    "stopped itself": ({"solo": {"power": "stopped"}}, ["solo"], {}, "accept: [not_running]"),
    "aborted before": ({"solo": {"code": "MaintenanceAborted", "allowed": True}}, ["solo"], {}, "accept: [retry_after_abort]"),
    "two hazards, one consent": ({"disk": {"power": "stopped"}}, ["disk"], {"accept": ["not_running"]}, "accept: [ephemeral_os_disk]"),
    "dynamic address refused": ({}, ["solo"], {"refuse": ["dynamic_public_ip"]}, "dynamic_public_ip is named in refuse"),
    "extension refused": ({"duo": {"extensions": [{"name": "mon", "status": "failed"}]}}, ["duo"], {"refuse": ["failed_extension"]}, "failed_extension"),
    "agent refused": ({"duo": {"agent": "not_ready"}}, ["duo"], {"refuse": ["agent_not_ready"]}, "agent_not_ready"),
    "no such VM": ({}, ["nobody"], {}, "there is no such VM"),
    "nothing to redeploy": ({"duo": {"power": "deallocated"}}, ["duo"], {"operation": "redeploy", "since": SINCE}, "nothing to redeploy"),
    "redeploy of an ephemeral disk": ({}, ["disk"], {"operation": "redeploy", "since": SINCE}, "accept: [ephemeral_os_disk]"),
    "redeploy in an ill set": ({"web-1": {"power": "stopped"}}, ["web-0a"], {"operation": "redeploy", "since": SINCE}, "web-1 (power state"),
}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(cloud, case, check):
    changes, names, options, words = REFUSALS[case]
    for name, state in changes.items():
        cloud.change(name, **state)
    result = cloud.redeploy(*names, check=check, **options)
    assert cloud.outcomes(result) == dict.fromkeys(names, "refused")
    assert words in result["vms"][cloud.id(names[0])]["reason"]
    assert result["failed"] is True and result["changed"] is False
    assert cloud.simulator.ledger() == [] and cloud.requests("POST") == []


# what is not in the way
PASSES = {
    "whole update domain": ({}, ["web-0a", "web-0b"], {}),
    "consent to an ephemeral disk": ({}, ["disk"], {"accept": ["ephemeral_os_disk"]}),
    "consent to a stopped one": ({"solo": {"power": "stopped"}}, ["solo"], {"accept": ["not_running"]}),
    "consent to an aborted one": ({"solo": {"code": "MaintenanceAborted", "allowed": True}}, ["solo"], {"accept": ["retry_after_abort"]}),
    "allowed again after retry later": ({"solo": {"code": "RetryLater", "allowed": True}}, ["solo"], {}),
    "consent to a completed one": ({"solo": {"code": "MaintenanceCompleted", "allowed": True}}, ["solo"], {"accept": ["completed_but_allowed"]}),
    "deallocated members hold nobody back": ({"web-1": {"power": "deallocated"}}, ["web-0a"], {}),
    "members without an agent are well": ({"web-1": {"agent": "absent"}}, ["web-0a"], {}),
    "the cosmetic failure of a completed member": ({"web-1": {"provisioning": "failed/X", "code": "MaintenanceCompleted"}}, ["web-0a"], {}),
    "one may be down": ({"web-1": {"power": "stopped"}}, ["web-0a"], {"max_unavailable": "2"}),
    "noted hazards are only shown": ({"duo": {"agent": "not_ready"}}, ["duo", "solo"], {"operation": "redeploy", "since": SINCE}),
}


@pytest.mark.parametrize("case", PASSES)
def test_what_passes_the_guards(cloud, case):
    changes, names, options = PASSES[case]
    for name, state in changes.items():
        cloud.change(name, **state)
    result = cloud.redeploy(*names, check=True, **options)
    assert cloud.outcomes(result) == dict.fromkeys(names, "would_start"), result.get("msg")
    assert result["changed"] is True and "failed" not in result
    assert cloud.simulator.ledger() == [] and not cloud.journal.exists()


@pytest.mark.parametrize("allowed, outcome", [(False, "already_done"), (True, "already_done")])
def test_completed_is_done_without_consent(cloud, allowed, outcome):
    cloud.change("solo", code="MaintenanceCompleted", allowed=allowed)
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": outcome}


def test_one_refusal_does_not_keep_the_others_from_moving(cloud):
    cloud.change("web-1", power="stopped")
    result = cloud.redeploy("web-0a", "solo", "disk", "calm")
    assert cloud.outcomes(result) == {"web-0a": "refused", "solo": "succeeded", "disk": "refused", "calm": "not_allowed"}
    assert cloud.executed() == ["solo"]


def test_every_guard_speaks_before_the_first_start(cloud):
    """After the first start nothing is read but the other update domain, once more before the starts in its set and once after."""
    cloud.redeploy("web-0a", "web-0b", "solo", "duo", "far", wait=False)
    log = [r for r in cloud.simulator.requests() if "/subscriptions/" in r["path"]]
    methods = [r["method"] for r in log]
    first = methods.index("POST")
    later = [r for r in log[first:] if r["method"] != "POST"]
    assert methods.count("POST") == 5 and 1 <= len(later) <= 2 and all("/virtualmachines/web-1?" in r["path"].lower() for r in later)
    at = [position for position, r in enumerate(log) if "/web-0" in r["path"] and r["method"] == "POST"]
    looks = [position for position, r in enumerate(log) if "/virtualmachines/web-1?" in r["path"].lower()]
    assert len(looks) == 3 and looks[1] < at[0] < at[1] < looks[2]
    before = " ".join(r["path"] for r in log[:first]).lower()
    for needed in ("virtualmachines/web-0a?", "virtualmachines/web-0b?", "virtualmachines/web-1?", "availabilitysets/web?", "virtualmachines/far?"):
        assert needed in before


def test_the_health_of_a_set_is_read_live_and_completely(cloud):
    """A set that does not list its own member is not believed: the VMs name their set."""
    cloud.fault("/availabilitySets/web", count=0, body={"id": "x", "properties": {"virtualMachines": []}})
    cloud.change("web-1", power="stopped")
    assert "web-1 (power state is stopped)" in cloud.redeploy("web-0a")["msg"]
    cloud.change("web-1", power="running")
    assert cloud.outcomes(cloud.redeploy("web-0a")) == {"web-0a": "succeeded"}


@pytest.mark.parametrize("fault", [
    {"path": "/availabilitySets/web", "status": 403}, {"path": "/virtualMachines/web-1[?]", "status": 500},
    {"path": "/virtualMachines/web-1[?]", "body": {"id": "x", "properties": {}}}, {"path": "/virtualMachines/web-0a[?]", "body": "<html>"}])
def test_a_set_that_cannot_be_read_starts_nothing(cloud, fault):
    cloud.fault(count=0, **fault)
    if "web-1" in fault["path"] and "body" in fault:
        cloud.fault("/virtualMachines/web-1/instanceView", count=0, body={"disks": []})
    result = cloud.redeploy("web-0a", "solo")
    assert cloud.outcomes(result) == {"web-0a": "refused", "solo": "succeeded"} and "web" in result["msg"].lower()
    assert cloud.executed() == ["solo"], "another set is not concerned"


def test_two_processes_of_one_controller(cloud):
    other = Journal(str(cloud.journal))
    other.prepare()
    assert other.lock(VmId.parse(cloud.id("solo")))
    result = cloud.redeploy("solo", "duo")
    assert cloud.outcomes(result) == {"solo": "refused", "duo": "succeeded"} and "another process" in result["msg"]
    assert cloud.executed() == ["duo"]
    assert cloud.outcomes(cloud.redeploy("solo", check=True)) == {"solo": "would_start"}, "check mode takes no lock"
    other.close()
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}


def test_two_processes_never_share_a_set(cloud):
    other = Journal(str(cloud.journal))
    other.prepare()
    assert other.lock_set(cloud.redeploy("web-0a", check=True)["vms"][cloud.id("web-0a")]["availability_set"])
    result = cloud.redeploy("web-0b", "solo")
    assert cloud.outcomes(result) == {"web-0b": "refused", "solo": "succeeded"} and "or its set" in result["msg"]
    other.close()
    assert cloud.outcomes(cloud.redeploy("web-0b")) == {"web-0b": "succeeded"}


def test_ids_in_any_letter_case_and_twice(cloud):
    shouting = cloud.id("web-0a").upper()
    result = cloud.redeploy(shouting, cloud.id("web-0b").lower(), cloud.id("solo"), cloud.id("solo"))
    assert [vm["outcome"] for vm in result["vms"].values()] == ["succeeded"] * 3
    assert shouting in result["vms"], "keyed by the id as it was given"
    assert cloud.executed() == ["solo", "web-0a", "web-0b"]


def test_every_spelling_of_one_vm_gets_its_outcome(cloud):
    ids = [cloud.id("solo"), cloud.id("solo").upper()]
    result = cloud.redeploy(*ids)
    assert {key: vm["outcome"] for key, vm in result["vms"].items()} == dict.fromkeys(ids, "succeeded")
    assert cloud.executed() == ["solo"]


def test_the_other_domain_waits_until_the_first_is_back(cloud):
    """A domain that an earlier call has set moving is not healthy, whatever its view shows."""
    cloud.change("web-0a", operations={"default": {"waits_seconds": 30}})
    cloud.redeploy("web-0a", wait=False)
    both = cloud.redeploy("web-0a", "web-1")
    assert cloud.outcomes(both) == {"web-0a": "succeeded", "web-1": "refused"}
    assert "web-0a (its perform_maintenance of" in both["msg"] and "is under way" in both["msg"]
    assert cloud.outcomes(cloud.redeploy("web-0a", "web-1")) == {"web-0a": "already_done", "web-1": "succeeded"}


def test_starts_go_out_in_the_order_given(many, monkeypatch):
    """The plan's order is kept: one worker shows it."""
    monkeypatch.setattr(start, "_WORKERS", 1)
    names = ["vm-07", "vm-01", "vm-11", "vm-04"]
    many.redeploy(*names, wait=False)
    assert [name for name, *dummy in many.posts()] == names
