# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a run, from the results that the callback is told."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from unit.plugins.marks import HAPROXY, SERVICES, mark

from ansible_collections.fleetops.azure_maintenance.plugins.callback import rollout_progress

PLAN, REDEPLOY, FACTS = "fleetops.azure_maintenance.rollout_plan", "fleetops.azure_maintenance.vm_redeploy", "ansible.builtin.set_fact"
ID = "/subscriptions/1/virtualMachines/Web-01"
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
        vms = [{"id": vm_id, "name": "Web-01", "host": "web-01", "update_domain": 0, "set": None, "service": None} for vm_id in ids]
        self.ok(PLAN, {"plan": {"waves": [{"number": 1, "estimate_minutes": 1, "vms": vms}] if vms else [], "policy": {}}, "text": "", "run_id": "one"})

    def rows(self):
        """(wave, VM, outcome) of the table at the end."""
        self.callback.v2_playbook_on_stats(None)
        start = next((number for number, line in enumerate(self.lines) if line.startswith("\nwave ")), len(self.lines))
        return [(line.split()[0], line.split()[1], line.split()[3]) for line in self.lines[start + 1:] if "LEFT" not in line]


@pytest.fixture
def told(monkeypatch, tmp_path):
    return Told(monkeypatch, tmp_path)


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
    ([SERVICES], 'LEFT OUT OF SERVICE: web-01, step redeploy; to undo: [{"provider": "services", "services": ["nginx"]}]')])
def test_a_host_is_called_out_of_service_only_when_something_was_drained(told, undo, words):
    told.asked("failed")
    told.planned(ID)
    (told.journal / "marks").mkdir()
    (told.journal / "marks/web-01.json").write_text(json.dumps(mark("one", *undo, step="redeploy")))
    told.callback.v2_playbook_on_stats(None)
    assert [line for line in told.lines if words in line and "run the playbook again" in line] and "to undo: []" not in "".join(told.lines)
