# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run and what is said at its end, from its log."""

from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.estimate import learn
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.report import NOT_STARTED, ending, next_step, report, totals
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_log import Event
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._rollout.run_state import fold

BEGUN = 1772488800  # 2026-03-02T22:00:00Z
ENDED = dt.datetime(2026, 3, 2, 22, 9, 10, 600000, tzinfo=dt.timezone.utc)
STOPPED = "STOPPED before wave 2 by the stop file /x. Not started: c, d. Take it away and run again: ansible-playbook"
REDEPLOY = {"outcome": "succeeded", "reason": "Azure reports it",
            "started_at": "2026-03-02T22:01:10Z", "ended_at": "2026-03-02T22:08:31Z", "elapsed_seconds": 441}


def vm(name):
    return {"id": f"/vms/{name.upper()}", "name": name.upper(), "host": name, "update_domain": 0}


def planned(name, wave):
    return {"host": name, "vm_id": f"/vms/{name.upper()}", "wave": wave, "lane": 1, "set": "", "place": name, "canary": False}


def done(name, **detail):
    seconds = {"draining": 60, "drained": 69, "azure_done": 512, "in_service": 539}
    return [Event(BEGUN + at, event, name, {"result": REDEPLOY, **detail} if event == "in_service" else {}) for event, at in seconds.items()]


def event(name, kind, at=1, **detail):
    return [Event(BEGUN + at, kind, name, detail)]


PLAN = {"waves": [{"number": 1, "vms": [vm("a"), vm("b")]}, {"number": 2, "vms": [vm("c"), vm("d")]}], "skipped": [{"name": "e"}]}
BEGIN = Event(BEGUN, "planned", None, {"hosts": [planned("a", 1), planned("b", 1), planned("c", 2), planned("d", 2)], "soak_minutes": 0})


def made(*events, command="run again"):
    return report(PLAN, fold([BEGIN, *(one for several in events for one in several)]), "one", ENDED, command)


def test_every_planned_host_has_its_outcome_in_the_order_of_the_waves():
    found = made(done("a"), event("b", "left_drained", words="b: no -- left: not changed", result={**REDEPLOY, "outcome": "failed"}),
                 event("c", "left_out", words="c: its set"), event(None, "stopped", words=STOPPED))
    assert [(one["host"], one["vm"], one["wave"], one["outcome"]) for one in found["hosts"]] == [
        ("a", "A", 1, "succeeded"), ("b", "B", 1, "lost"), ("c", "C", 2, "left_out"), ("d", "D", 2, "not_started")]
    assert [one["reason"] for one in found["hosts"]] == ["Azure reports it", "b: no -- left: not changed", "c: its set", STOPPED.partition(". Not")[0]]
    assert found["totals"] == {"planned": 4, "succeeded": 1, "lost": 1, "left_out": 1, "not_started": 1, "skipped": 1}
    assert (found["next"], found["stopped"], found["not_started"]) == ("run again", STOPPED, ["c", "d"])
    assert (list(found["lost"]), list(found["left_out"]), len(found["vms"])) == (["b"], ["c"], 2)


def test_begin_and_end_of_the_run_and_of_each_step():
    found = made(done("a"), event("b", "draining"))
    assert (found["begin"], found["end"]) == ("2026-03-02T22:00:00Z", "2026-03-02T22:09:10Z")
    assert found["hosts"][0]["steps"] == {
        "drain": {"begin": "2026-03-02T22:01:00Z", "end": "2026-03-02T22:01:09Z"}, "redeploy": {"begin": "2026-03-02T22:01:10Z", "end": "2026-03-02T22:08:31Z"},
        "return": {"begin": "2026-03-02T22:08:32Z", "end": "2026-03-02T22:08:59Z"}}
    assert [one["steps"] for one in found["hosts"][1:]] == [{"drain": {"begin": "2026-03-02T22:00:01Z", "end": None}}, {}, {}]


def test_nothing_is_left_to_do_when_all_are_done():
    already = event("b", "already_done", result={"outcome": "already_done", "reason": "done before"})
    found = made(done("a"), already, done("c"), done("d"))
    assert found["next"] is None and found["stopped"] is None and found["hosts"][1]["outcome"] == "already_done"
    assert made()["hosts"][0]["reason"] == NOT_STARTED


@pytest.mark.parametrize("phase", ["draining", "drained", "starting", "azure_done"])
def test_a_host_that_the_run_did_not_come_to_an_end_with(phase):
    """Of a run that was killed, or of a host that core lost: whatever Azure says of it, it was not returned to service."""
    found = made(event("a", phase, result=REDEPLOY))["hosts"][0]
    assert (found["outcome"], found["reason"]) == ("unfinished", f"the run ended in its phase {phase}")


def test_an_address_that_changed_is_told():
    assert made(done("a", address_before="10.0.0.1", address="10.0.0.2"), done("b", address="10.0.0.3"))["addresses"] == {"a": "10.0.0.2"}


def test_the_next_plan_learns_from_it():
    assert learn(made(done("a"))).minutes == 8


@pytest.mark.parametrize("outcomes, skipped, said", [
    (["succeeded", "succeeded", "lost", "not_started"], 0, "Totals: 4 VMs: 2 succeeded, 1 lost, 1 not started"),
    (["succeeded"], 12, "Totals: 1 VM: 1 succeeded; the plan skipped 12 more")])
def test_totals(outcomes, skipped, said):
    assert totals(outcomes, skipped) == said


@pytest.mark.parametrize("outcomes, said", [
    (["succeeded", "already_done", "recovered"], "Next: nothing left to do."),
    (["would_start", "already_done"], "Next: nothing was changed. To do it:\n  run it"),
    (["succeeded", "not_started"], "run again once what stopped the run is over; VMs that are done are left alone:\n  run it"),
    (["lost", "not_started"], "mend what the table names, then run again; VMs that are done are left alone:\n  run it"),
    (["would_start", "lost"], "Next: mend"),
    (["still_running"], "Next: mend"), (["not_recovered"], "Next: mend")])
def test_the_next_step(outcomes, said):
    assert said in next_step(outcomes, "run it")


def test_the_ending_is_one_line_when_nothing_is_left_to_do():
    assert ending(["succeeded"], 2, "run it") == "Totals: 1 VM: 1 succeeded; the plan skipped 2 more. Next: nothing left to do."
    assert ending(["lost"], 0, "run it").splitlines()[0] == "Totals: 1 VM: 1 lost"
