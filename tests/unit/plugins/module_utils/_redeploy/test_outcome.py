# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen -> an outcome: one table over the end of the operation, the block, power and agent. Pure."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from unit.plugins.module_utils.rollout_fleet import DAY, NOW, status, vm

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.outcome import ADVICE, GOOD, UNTOUCHED, Ended, advise, fold
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.outcome import judge as judge_ended

START = NOW - 5 * DAY  # of the self-service window of status()
DONE = status(allowed=False, code="MaintenanceCompleted")
LATER = status(own=(10, 20), azure=(21, 30), allowed=False)
ERROR = "VMRedeploymentFailed: no"
LATE = "VMRedeploymentTimedOut: slow"


def judge(operation, state, error, start, after, proof=None):
    code, dummy, message = error.partition(": ")
    return judge_ended(operation, Ended(state, code or None, message, proof), start, after)


# operation's end, its error, the view -> outcome, how long a better one is waited for
TABLE = [
    ("succeeded", "", {"status": DONE}, "succeeded", None),
    ("succeeded", "", {"status": None}, "succeeded", None),
    ("succeeded", "", {"status": LATER}, "succeeded", None),
    ("succeeded", "", {"status": status(code="MaintenanceCompleted")}, "succeeded", None),
    ("succeeded", "", {"status": DONE, "agent": "unknown"}, "succeeded", None),
    ("succeeded", "", {"status": DONE, "agent": "not_ready"}, "still_running", "deadline"),
    ("succeeded", "", {"status": DONE, "power_state": "starting"}, "still_running", "deadline"),
    ("succeeded", "", {"status": DONE, "power_state": "stopping"}, "still_running", "deadline"),
    ("succeeded", "", {"status": DONE, "power_state": "unknown"}, "still_running", "deadline"),
    ("succeeded", "", {"status": DONE, "power_state": "stopped"}, "failed", "settle"),
    ("succeeded", "", {"status": DONE, "power_state": "deallocated"}, "failed", "settle"),
    ("failed", LATE, {"status": DONE, "power_state": "stopped"}, "failed", "deadline"),
    ("failed", "TooManyVMRedeploymentRequests: no", {"status": status()}, "retry_later", None),
    ("failed", "ResourceUpdateBlockedOnPlatformUpdate: no", {"status": status(), "power_state": "stopped"}, "failed", None),
    ("failed", "VMAgentStatusCommunicationError: no", {"status": DONE}, "succeeded", None),
    ("failed", "NeverHeardOf: no", {"status": status()}, "failed", None),
    ("succeeded", "", {"status": DONE, "provisioning_state": "updating"}, "still_running", "deadline"),
    ("succeeded", "", {"status": DONE, "provisioning_state": "failed"}, "succeeded", None),
    ("succeeded", "", {"status": status()}, "still_due", "settle"),
    ("succeeded", "", {"status": status(own=(-1, 20))}, "still_due", None),
    ("succeeded", "", {"status": status(allowed=False)}, "unknown", "settle"),
    ("succeeded", "", {"status": status(code="RetryLater")}, "retry_later", None),
    ("succeeded", "", {"status": status(code="MaintenanceAborted", allowed=False)}, "aborted", None),
    ("succeeded", "", {"status": status(code="Strange")}, "unknown", None),
    ("failed", ERROR, {"status": status(code="MaintenanceAborted", allowed=False)}, "aborted", None),
    ("failed", ERROR, {"status": status(code="RetryLater")}, "retry_later", None),
    ("failed", ERROR, {"status": DONE}, "succeeded", None),
    ("failed", ERROR, {"status": DONE, "agent": "not_ready"}, "still_running", "deadline"),
    ("failed", ERROR, {"status": status()}, "failed", None),
    ("failed", ERROR, {"status": None}, "failed", None),
    ("canceled", "", {"status": status()}, "failed", None),
    ("failed", LATE, {"status": DONE}, "succeeded", None),
    ("failed", LATE, {"status": status()}, "unknown", "settle"),
    ("failed", LATE.lower(), {"status": None}, "succeeded", None),
    (None, "", {"status": DONE}, "succeeded", None),
    (None, "", {"status": None}, "succeeded", None),
    (None, "", {"status": status()}, "unknown", "settle"),
    (None, "", {"status": status(), "provisioning_state": "updating"}, "still_running", "deadline"),
]


@pytest.mark.parametrize("ended, error, view, outcome, wait_for", TABLE)
def test_verdicts_on_a_maintenance(ended, error, view, outcome, wait_for):
    verdict = judge("perform_maintenance", ended, error, START, vm("a", **view))
    assert (verdict.outcome, verdict.wait_for) == (outcome, wait_for)
    told = outcome in ("failed", "unknown", "retry_later") and view.get("status") is not None and view["status"].code == "None"
    assert verdict.reason and (not error or not told or error.split(":")[0] in verdict.reason)


@pytest.mark.parametrize("ended, error, view, outcome, wait_for", [
    ("succeeded", "", {}, "succeeded", None), ("succeeded", "", {"status": None}, "succeeded", None), ("failed", ERROR, {}, "failed", None),
    ("failed", LATE, {}, "succeeded", None), ("canceled", "", {}, "failed", None), (None, "", {}, "unknown", "settle"),
    ("succeeded", "", {"agent": "not_ready"}, "still_running", "deadline"), ("succeeded", "", {"power_state": "stopped"}, "failed", "settle"),
    ("succeeded", "", {"power_state": "starting"}, "still_running", "deadline"),
    (None, "", {"provisioning_state": "updating"}, "still_running", "deadline")])
@pytest.mark.parametrize("operation", ["redeploy", "reapply"])
def test_verdicts_on_a_plain_redeploy(operation, ended, error, view, outcome, wait_for):
    verdict = judge(operation, ended, error, None, vm("a", **view))
    assert (verdict.outcome, verdict.wait_for) == (outcome, wait_for)


def test_every_combination_has_a_verdict_with_advice():
    """Nothing seen together can leave a VM without an outcome, and success needs a running VM."""
    blocks = [None, DONE, LATER, status(), status(allowed=False), status(code="RetryLater"), status(code="MaintenanceAborted"), status(code="X")]
    views = itertools.product(blocks, ["running", "stopped", "unknown", "deallocated"], ["ready", "not_ready", "unknown"], ["succeeded", "updating", "failed"])
    for block, power, agent, provisioning in views:
        after = vm("a", status=block, power_state=power, agent=agent, provisioning_state=provisioning)
        for operation, ended in itertools.product(["perform_maintenance", "redeploy"], ["succeeded", "failed", "canceled", None]):
            verdict = judge(operation, ended, ERROR if ended == "failed" else "", START, after)
            assert verdict.outcome in ADVICE and verdict.reason and verdict.wait_for in (None, "settle", "deadline")
            assert verdict.outcome != "succeeded" or (power == "running" and agent != "not_ready" and provisioning != "updating")
            assert verdict.outcome not in ("would_start", "started", "already_done", "not_allowed", "refused")


def test_groups_of_outcomes():
    assert GOOD | UNTOUCHED <= set(ADVICE) and not GOOD & UNTOUCHED
    assert set(ADVICE) - GOOD - UNTOUCHED == {"failed", "still_running", "still_due", "unknown"}
    assert isinstance(START, dt.datetime)


@pytest.mark.parametrize("outcome", sorted(ADVICE))
def test_folding(outcome):
    results = {"/x/a": {"name": "a", "outcome": outcome, "reason": "because"}, "/x/b": {"name": "b", "outcome": "succeeded", "reason": "r"}}
    folded = fold(results, True)
    assert folded["vms"] == results and folded["changed"] is True and sum(folded["counts"].values()) == 2
    assert folded.get("failed", False) is (outcome not in GOOD)
    assert folded["msg"] == (f"a: {outcome}: because" if outcome not in GOOD else "2 succeeded" if outcome == "succeeded" else f"1 {outcome}, 1 succeeded")


def test_a_message_about_many_is_short():
    results = {f"/x/{n}": {"name": f"vm-{n}", "outcome": "refused", "reason": "because"} for n in range(200)}
    folded = fold(results, False)
    assert "vm-4: refused" in folded["msg"] and folded["msg"].endswith("; and 195 more of 200 (see vms)") and len(folded["vms"]) == 200


def test_advice_names_the_remedy_and_what_azure_will_do():
    waits = status(allowed=False)
    said = advise("aborted", None, waits, NOW)
    assert said.startswith(ADVICE["aborted"]) and "Azure restarts it between" in said
    assert advise("aborted", None, waits, NOW + 400 * DAY) == ADVICE["aborted"], "the window is over"
    assert "Azure restarts it" not in advise("succeeded", None, waits, NOW)
    assert "lock" in advise("refused", "scopelocked", waits, NOW)
