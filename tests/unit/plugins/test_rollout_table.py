# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a run, from the results that the callback is told."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from unit.plugins.marks import HAPROXY, SERVICES, mark

from ansible_collections.fleetops.azure_maintenance.plugins.callback import rollout_progress
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._azure.vm import VmId
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._redeploy.journal import Journal

PLAN, RECHECK, REDEPLOY = (f"fleetops.azure_maintenance.{name}" for name in ("rollout_plan", "rollout_recheck", "vm_redeploy"))
EVENT = "fleetops.azure_maintenance.rollout_event"
FACTS = "ansible.builtin.set_fact"
ID = "/subscriptions/1/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/Web-01"
ROW = {"vm_id": ID, "update_domain": 0}
LEFT = {**ROW, "outcome": "not_recovered", "reason": "this run did not return it to service"}
DONE = {**ROW, "outcome": "recovered", "reason": "an earlier run left it drained"}


class Told:
    """The callback and what it displays; a journal with marks in tmp_path."""

    def __init__(self, monkeypatch, journal):
        self.callback, self.lines, self.journal = rollout_progress.CallbackModule(), [], journal
        self.callback._display = SimpleNamespace(display=lambda text, **more: self.lines.append(text))
        monkeypatch.setattr(rollout_progress.context, "CLIARGS", {})

    def ok(self, action, result, host="web-01"):
        self.callback.v2_runner_on_ok(SimpleNamespace(_task=SimpleNamespace(action=action), _result=result, _host=SimpleNamespace(get_name=lambda: host)))

    def facts(self, **facts):
        self.ok(FACTS, {"ansible_facts": facts})

    def asked(self, outcome="would_start", seconds=None):
        vm = {"name": "Web-01", "outcome": outcome, "reason": "asked", "update_domain": 0, "elapsed_seconds": seconds}
        self.ok(REDEPLOY, {"vms": {ID: vm}, "invocation": {"module_args": {"journal": str(self.journal)}}})

    def planned(self, *ids):
        vms = [{"id": vm_id, "name": "Web-01", "host": f"web-{vm_id[-2:]}", "update_domain": 0, "set": None, "service": None} for vm_id in ids]
        self.ok(PLAN, {"plan": {"waves": [{"number": 1, "estimate_minutes": 1, "vms": vms}] if vms else [], "policy": {}}, "text": "", "run_id": "one"})

    def rows(self):
        """(wave, VM, outcome) of the table at the end."""
        self.callback.v2_playbook_on_stats(None)
        start = next((number for number, line in enumerate(self.lines) if line.startswith("\nwave ")), len(self.lines))
        end = next((number for number, line in enumerate(self.lines) if line.startswith("Totals: ")), len(self.lines))
        return [(line.split()[0], line.split()[1], line.split()[3]) for line in self.lines[start + 1:end]]


@pytest.fixture
def told(monkeypatch, tmp_path):
    return Told(monkeypatch, tmp_path)


def test_a_host_that_its_wave_begins_without(told):
    told.planned(ID)
    told.ok(RECHECK, {"left_out": {"web-01": "Web-01: gone"}, "invocation": {"module_args": {"hosts": {"web-01": ID}}}})
    assert "skipped: Web-01: gone" in "".join(told.lines) and told.rows() == [("1", "web-01", "left_out")]


@pytest.mark.parametrize("plan", [None, []], ids=["no plan", "an empty plan"])
@pytest.mark.parametrize("asked", [["would_start"], ["started", "succeeded"], ["already_done"], []], ids=lambda asked: "-".join(asked) or "not asked")
@pytest.mark.parametrize("end, outcome", [(DONE, "recovered"), ({**DONE, "outcome": "would_recover"}, "would_recover"),
                                          ({**LEFT, "reason": "not reachable"}, "not_recovered"), (None, "not_recovered")],
                         ids=["recovered", "check mode", "failed", "lost without a word"])
def test_what_a_run_recovers_is_told_as_that(told, plan, asked, end, outcome):
    """Its redeploy is asked about, and was never to be started by this run."""
    told.facts(__rollout_recovery=LEFT)
    for answer in asked:
        told.asked(answer, 7 if answer == "succeeded" else None)
    if end:
        told.facts(__rollout_recovery=end)
    if plan is not None:
        told.planned(*plan)
    assert told.rows() == [("-", "web-01", outcome)]


@pytest.mark.parametrize("asked, row", [([], "recovered"), (["would_start"], "not_started"), (["would_start", "succeeded"], "succeeded")])
def test_what_was_recovered_and_planned_is_told_by_its_wave(told, asked, row):
    told.facts(__rollout_recovery=LEFT)
    told.asked()
    told.facts(__rollout_recovery=DONE)
    told.planned(ID)
    for answer in asked:
        told.asked(answer)
    assert [outcome for wave, name, outcome in told.rows()] == [row]


@pytest.mark.parametrize("undo, words", [
    ([], "LEFT MARKED: web-01, step redeploy; nothing was drained"), ([{**HAPROXY, "balancers": {"lb-1": []}}], "LEFT MARKED: web-01"),
    ([SERVICES], "LEFT OUT OF SERVICE: web-01, step redeploy; to restore: start nginx on web-01")])
def test_a_host_is_called_out_of_service_only_when_something_was_drained(told, undo, words):
    told.asked("failed")
    told.planned(ID)
    (told.journal / "marks").mkdir()
    (told.journal / "marks/web-01.json").write_text(json.dumps(mark("one", *undo, step="redeploy")))
    told.callback.v2_playbook_on_stats(None)
    assert [line for line in told.lines if words in line and "run the playbook again" in line] and "to restore: ;" not in "".join(told.lines)


def test_what_was_planned_and_never_asked_about_is_not_started_with_the_reason(told, monkeypatch):
    monkeypatch.setattr(rollout_progress.sys, "argv", ["ansible-playbook", "-i", "prod.yml", "book", "--limit", "web-01,web-02"])
    told.asked("succeeded", 7)
    told.planned(ID, ID.replace("01", "02"))
    told.asked("succeeded", 7)
    told.ok(EVENT, {"event": "stopped", "words": "STOPPED before wave 2 by the stop file. Not started: web-02. Run again"})
    (told.journal / "runs/one").mkdir(parents=True)
    (told.journal / "runs/one/report.json").write_text("{}")
    told.callback.v2_playbook_on_stats(None)
    assert told.lines[-3].split() == ["1", "Web-01", "0", "not_started", "-", *"STOPPED before wave 2 by the stop file".split()]
    assert told.lines[-2:] == [
        "Totals: 2 VMs: 1 succeeded, 1 not started\n"
        "Next: run again once what stopped the run is over; VMs that are done are left alone:\n  ansible-playbook -i prod.yml book --limit web-01,web-02",
        f"Report: {told.journal}/runs/one/report.json"]


# -- a run that is interrupted --------------------------------------------------------------------------------------------


@pytest.fixture
def interrupted(told, monkeypatch):
    """Lines that the end of the process prints; of a playbook that has begun."""
    monkeypatch.setattr(rollout_progress.sys, "argv", ["ansible-playbook", "-i", "prod.yml", "book"])

    def end():
        told.lines.clear()
        told.callback._interrupted(os.getpid())
        return told.lines

    told.callback._open = True
    told.end = end
    return told


def test_an_interruption_names_hosts_operations_and_the_command(interrupted):
    interrupted.asked()
    interrupted.planned(ID)
    (interrupted.journal / "marks").mkdir()
    (interrupted.journal / "marks/web-01.json").write_text(json.dumps(mark("one", SERVICES, step="redeploy")))
    journal = Journal(str(interrupted.journal))
    journal.prepare()
    vm = VmId.parse(ID)
    journal.intend(vm, {"operation": "perform_maintenance", "iteration": None, "client_request_id": "x", "intent_at": "2026-03-02T10:00:00Z"})
    lines = interrupted.end()
    assert "INTERRUPTED" in lines[0] and lines[1].startswith("LEFT OUT OF SERVICE: web-01, step redeploy; to restore: start nginx on web-01")
    assert lines[2].startswith("STARTED, END NOT SEEN: Web-01: perform_maintenance of 2026-03-02T10:00:00Z; whether Azure got it is not known")
    assert lines[3] == ("Next: run the same command again; it first returns the hosts above to service, then goes on with the rest:\n"
                        "  ansible-playbook -i prod.yml book") and len(lines) == 4
    assert not interrupted.end(), "it is said once"


def test_an_interruption_before_the_first_drain_leaves_nothing_out_of_service(interrupted):
    interrupted.planned(ID)
    assert interrupted.end()[1:] == ["No host is out of service by this run.",
                                     "Next: run the same command again; it goes on with the rest:\n  ansible-playbook -i prod.yml book"]


def test_an_interruption_of_a_recovery_names_what_is_not_recovered_yet(interrupted):
    interrupted.facts(__rollout_found={"finish": {name: mark("old", SERVICES, step="drain", host=name) for name in ("web-01", "web-02")}})
    interrupted.facts(__rollout_recovery=DONE)
    lines = interrupted.end()
    assert [line for line in lines if "LEFT OUT OF SERVICE: web-02, step drain" in line] and "web-01" not in "".join(lines)


@pytest.mark.parametrize("why", ["it came to its end", "another process", "nothing had begun"])
def test_no_interruption_is_told(interrupted, why):
    if why != "nothing had begun":
        interrupted.planned(ID)
    if why == "it came to its end":
        interrupted.callback.v2_playbook_on_stats(None)
    if why == "another process":
        interrupted.callback._interrupted(os.getpid() + 1)
        assert not interrupted.lines
    else:
        assert not interrupted.end()


# -- a question -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action, shown", [("ansible.builtin.pause", True), ("pause", True), ("ansible.builtin.debug", False)])
def test_the_plan_is_on_screen_before_a_question_whatever_the_option_says(told, monkeypatch, action, shown):
    monkeypatch.setattr(told.callback, "get_option", lambda name: False)
    told.planned(ID)
    told.callback._text = "THE PLAN"
    told.callback.v2_playbook_on_task_start(SimpleNamespace(action=action), False)
    told.callback.v2_playbook_on_play_start(None)
    assert told.lines == (["\nTHE PLAN"] if shown else [])
