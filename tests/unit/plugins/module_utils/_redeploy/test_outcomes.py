# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one VM's redeploy ends: outcome, reason, journal and the writes Azure got, for each course an operation can take."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.maintenance import format_time
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.outcome import ADVICE, GOOD

SINCE = format_time(dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=3))
MAINTENANCE = {"operation": "perform_maintenance"}
REDEPLOY = {"operation": "redeploy", "since": SINCE}
REAPPLY = {"operation": "reapply", "since": SINCE}
ACTIONS = {"perform_maintenance": "performMaintenance", "redeploy": "redeploy", "reapply": "reapply"}


def attempts(cloud, name="solo"):
    """Attempts in the journal of a VM, oldest first."""
    files = list(cloud.journal.glob(f"{name}-*.json"))
    return json.loads(files[0].read_text())["attempts"] if files else []


# transition of the operation -> outcome, words of the reason, what the ledger says, outcome in the journal
COURSES = [
    (MAINTENANCE, {}, "succeeded", "MaintenanceCompleted", "completed", "succeeded"),
    (MAINTENANCE, {"after_seconds": 0}, "succeeded", "MaintenanceCompleted", "completed", "succeeded"),
    (MAINTENANCE, {"after_polls": 3}, "succeeded", "MaintenanceCompleted", "completed", "succeeded"),
    (MAINTENANCE, {"block": "vanishes"}, "succeeded", "no maintenance for it any more", "completed", "succeeded"),
    (MAINTENANCE, {"waits_seconds": 40}, "succeeded", "MaintenanceCompleted", "completed", "succeeded"),
    (MAINTENANCE, {"agent_after_seconds": 40}, "succeeded", "MaintenanceCompleted", "completed", "succeeded"),
    (MAINTENANCE, {"agent_after_seconds": 9000}, "still_running", "agent is not ready", "completed", None),
    (MAINTENANCE, {"after_seconds": 9000}, "still_running", "operation is still running", None, None),
    (MAINTENANCE, {"result": "stuck"}, "still_running", "operation is still running", None, None),
    (MAINTENANCE, {"result": "forgotten"}, "succeeded", "MaintenanceCompleted", "forgotten", "succeeded"),
    (MAINTENANCE, {"result": "forgotten", "block": "vanishes"}, "succeeded", "no maintenance", "forgotten", "succeeded"),
    (MAINTENANCE, {"result": "forgotten", "block": "unchanged"}, "still_due", "is due", "forgotten", "still_due"),
    (MAINTENANCE, {"result": "retry_later"}, "retry_later", "Please retry later", "retry_later", "retry_later"),
    (MAINTENANCE, {"result": "retry_later", "operation": "failed"}, "retry_later", "Please retry later", "retry_later", "retry_later"),
    (MAINTENANCE, {"result": "aborted"}, "aborted", "Maintenance was aborted", "aborted", "aborted"),
    (MAINTENANCE, {"result": "aborted", "operation": "succeeded"}, "aborted", "Maintenance was aborted", "aborted", "aborted"),
    (MAINTENANCE, {"result": "failed"}, "failed", "VMRedeploymentFailed", "failed", "failed"),
    (MAINTENANCE, {"result": "failed", "operation": "failed", "code": "AllocationFailed", "message": "No capacity."},
     "failed", "AllocationFailed: No capacity.", "failed", "failed"),
    (MAINTENANCE, {"result": "completed", "operation": "failed", "code": "VMRedeploymentTimedOut"},
     "succeeded", "MaintenanceCompleted", "completed", "succeeded"),
    (MAINTENANCE, {"result": "completed", "operation": "failed", "code": "VMRedeploymentFailed"},
     "succeeded", "although the operation failed", "completed", "succeeded"),
    (MAINTENANCE, {"result": "canceled"}, "failed", "canceled", "canceled", "failed"),
    (MAINTENANCE, {"power_after": "stopped"}, "failed", "power state is stopped", "completed", "failed"),
    (MAINTENANCE, {"result": "still_due"}, "still_due", "is due", "still_due", "still_due"),
    (MAINTENANCE, {"block": "unchanged"}, "still_due", "is due", "completed", "still_due"),
    (REDEPLOY, {}, "succeeded", "redeploy succeeded", "completed", "succeeded"),
    (REDEPLOY, {"agent_after_seconds": 9000}, "still_running", "agent is not ready", "completed", None),
    (REDEPLOY, {"result": "failed"}, "failed", "VMRedeploymentFailed", "failed", "failed"),
    (REDEPLOY, {"result": "canceled"}, "failed", "canceled", "canceled", "failed"),
    (REDEPLOY, {"result": "stuck"}, "still_running", "still running", None, None),
    (MAINTENANCE, {"power_after": "starting"}, "still_running", "power state is starting", "completed", None),
    (REDEPLOY, {"power_after": "starting"}, "still_running", "power state is starting", "completed", None),
    (REDEPLOY, {"result": "forgotten"}, "succeeded", "activity log shows that it succeeded", "forgotten", "succeeded"),
    (REDEPLOY, {"power_after": "stopped"}, "failed", "power state is stopped", "completed", "failed"),
    (REAPPLY, {}, "succeeded", "reapply succeeded", "completed", "succeeded"),
]


@pytest.mark.parametrize("order, transition, outcome, words, ledger, journal", COURSES)
def test_how_an_operation_ends(cloud, order, transition, outcome, words, ledger, journal):
    cloud.change("solo", operations={"default": transition})
    result = cloud.redeploy("solo", **order)
    vm = result["vms"][cloud.id("solo")]
    assert (vm["outcome"], vm["advice"]) == (outcome, vm["advice"])
    assert vm["advice"].startswith(ADVICE[outcome]) or vm["code"]
    assert words in vm["reason"]
    assert cloud.posts() == [("solo", ACTIONS[order["operation"]], ledger)]
    assert [(a["operation"], a["outcome"]) for a in attempts(cloud)] == [(order["operation"], journal)]
    assert result["changed"] is True and result.get("failed", False) is (outcome not in GOOD)
    assert result["counts"] == {outcome: 1}
    if outcome not in GOOD:
        assert "solo" in result["msg"] and vm["reason"] in result["msg"]
    final = outcome not in ("still_running", "unknown")
    assert (vm["ended_at"] is not None, attempts(cloud)[0]["ended_at"] is not None) == (final, final)
    assert cloud.clock.seconds <= 100, "the time limit was kept"


def test_what_a_success_tells(cloud):
    vm = cloud.redeploy("solo")["vms"][cloud.id("solo")]
    entry, = cloud.simulator.ledger()
    attempt, = attempts(cloud)
    assert vm["client_request_id"] == entry["client_request_id"] == attempt["client_request_id"]
    assert vm["request_id"], "x-ms-request-id of the answer"
    assert (vm["state_before"], vm["state_after"]) == ("startable", "done")
    assert 28 <= vm["elapsed_seconds"] <= 45
    assert vm["started_at"] == attempt["intent_at"] <= vm["ended_at"]
    assert vm["before"]["addresses"]["private"] == vm["after"]["addresses"]["private"] == ["10.1.0.7"]
    assert vm["before"]["addresses"]["public"] == ["20.50.0.7"]
    assert vm["after"]["addresses"]["public"] not in ([], ["20.50.0.7"]), "a dynamic address changed, and that is shown"
    assert attempt["operation_url"].startswith(cloud.simulator.url) and "monitor=true" in attempt["location_url"]
    text = "".join(path.read_text() for path in cloud.journal.glob("*.json"))
    assert "Bearer" not in text and "secret" not in text


def test_an_unknown_result_code_is_unknown_and_settled_by_a_later_run(cloud):
    cloud.change("solo", operations={"default": {"block": "unchanged"}})
    cloud.clock.hooks.append(lambda: cloud.change("solo", code="Sublimated", allowed=False))
    result = cloud.redeploy("solo")
    assert cloud.outcomes(result) == {"solo": "unknown"} and "Sublimated" in result["msg"]
    cloud.clock.hooks.clear()
    cloud.change("solo", code="MaintenanceCompleted")
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


@pytest.mark.parametrize("power", ["missing", "running", "starting", "stopped"])
def test_whatever_power_state_a_vm_in_motion_shows(cloud, power):
    cloud.simulator.fleet.quirks["power_in_motion"] = power
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}


def test_a_lagging_block_is_waited_for(cloud):
    """The operation has succeeded, the block follows a minute later."""
    cloud.change("solo", operations={"default": {"block": "unchanged", "after_seconds": 5}})
    cloud.clock.hooks.append(lambda: cloud.clock.seconds >= 60 and cloud.change("solo", code="MaintenanceCompleted", allowed=False))
    vm = cloud.redeploy("solo", settle=120, timeout=300)["vms"][cloud.id("solo")]
    assert vm["outcome"] == "succeeded" and 60 <= cloud.clock.seconds <= 80


def test_a_vm_that_vanishes_on_the_way(cloud):
    cloud.change("solo", operations={"default": {"agent_after_seconds": 9000}})
    key = cloud.id("solo").lower()
    cloud.clock.hooks.append(lambda: cloud.clock.seconds >= 60 and cloud.simulator.fleet.vms.pop(key, None))
    result = cloud.redeploy("solo", "duo")
    assert cloud.outcomes(result) == {"solo": "failed", "duo": "succeeded"}
    assert "no longer exists" in result["msg"]


def test_one_that_cannot_be_read_does_not_hide_another(cloud):
    """Azure answers nothing about one VM from its start on."""
    cloud.change("solo", operations={"default": {"after_seconds": 0}})
    cloud.fault(r"/virtualMachines/solo\?", nth=2, count=0, status=500)
    result = cloud.redeploy("solo", "duo", timeout=100)
    assert cloud.outcomes(result) == {"solo": "unknown", "duo": "succeeded"}
    assert "no answer by the deadline" in result["msg"] and "HTTP 500" in result["msg"]
    assert [a["outcome"] for a in attempts(cloud)] == [None], "a later run looks again"
    cloud.simulator.world.faults.clear()
    assert cloud.outcomes(cloud.redeploy("solo", "duo")) == {"solo": "succeeded", "duo": "already_done"}
    assert cloud.executed() == ["duo", "solo"]


def test_without_wait_then_attached_to(cloud):
    first = cloud.redeploy("solo", wait=False)
    vm = first["vms"][cloud.id("solo")]
    assert (vm["outcome"], first["changed"], first.get("failed")) == ("started", True, None)
    assert cloud.clock.seconds == 0
    again = cloud.redeploy("solo", wait=False)
    assert cloud.outcomes(again) == {"solo": "started"} and again["changed"] is False
    last = cloud.redeploy("solo")
    assert cloud.outcomes(last) == {"solo": "succeeded"}
    assert last["vms"][cloud.id("solo")]["client_request_id"] == vm["client_request_id"]
    assert cloud.posts() == [("solo", "performMaintenance", "completed")]


def test_an_interrupted_operation_is_attached_to_until_it_ends(cloud):
    cloud.change("solo", operations={"default": {"after_seconds": 250}})
    for dummy in range(2):
        result = cloud.redeploy("solo")
        assert cloud.outcomes(result) == {"solo": "still_running"} and "run again" in result["vms"][cloud.id("solo")]["advice"]
    assert cloud.outcomes(cloud.redeploy("solo")) == {"solo": "succeeded"}
    assert cloud.executed() == ["solo"]


def test_many_end_in_their_own_ways(cloud):
    cloud.change("solo", operations={"default": {"after_seconds": 60}})
    cloud.change("duo", operations={"default": {"result": "aborted"}})
    cloud.change("far", operations={"default": {"result": "stuck"}})
    result = cloud.redeploy("solo", "duo", "far", "web-0a", "web-0b", "calm", "nobody")
    assert cloud.outcomes(result) == {"solo": "succeeded", "duo": "aborted", "far": "still_running", "web-0a": "succeeded",
                                      "web-0b": "succeeded", "calm": "not_allowed", "nobody": "refused"}
    assert list(result["vms"]) == [cloud.id(n) for n in ("solo", "duo", "far", "web-0a", "web-0b", "calm", "nobody")]
    assert result["counts"] == {"succeeded": 3, "aborted": 1, "still_running": 1, "not_allowed": 1, "refused": 1}
    assert all(name in result["msg"] for name in ("duo", "far", "calm", "nobody")) and "web-0a" not in result["msg"]
    assert cloud.executed() == ["duo", "far", "solo", "web-0a", "web-0b"]
